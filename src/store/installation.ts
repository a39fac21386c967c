import type { Tx } from './store.ts'

/** A fact of the installation. */
export async function getFact(tx: Tx, key: string): Promise<string | undefined> {
  const row = await tx.selectFrom('installation').select('value').where('key', '=', key).executeTakeFirst()
  return row?.value
}

export async function setFact(tx: Tx, key: string, value: string): Promise<void> {
  await tx
    .insertInto('installation')
    .values({ key, value })
    .onConflict((c) => c.column('key').doUpdateSet({ value }))
    .execute()
}
