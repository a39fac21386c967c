/** Totals for the platform's own metrics. Each walks an index: asked for at a scrape, never by a list. */
import { toInteger } from './row.ts'
import type { Tx } from './store.ts'

export async function countOperations(tx: Tx): Promise<{ kind: string; status: string; count: number }[]> {
  const rows = await tx
    .selectFrom('operations')
    .select((e) => ['kind', 'status', e.fn.countAll().as('count')])
    .groupBy(['status', 'kind'])
    .execute()
  return rows.map((row) => ({ ...row, count: toInteger(row.count) }))
}

/** Deleted ones aside. */
export async function countInstances(tx: Tx): Promise<{ status: string; health: string; count: number }[]> {
  const rows = await tx
    .selectFrom('instances')
    .select((e) => ['status', 'health', e.fn.countAll().as('count')])
    .where('deleted_at', 'is', null)
    .groupBy(['status', 'health'])
    .execute()
  return rows.map((row) => ({ ...row, count: toInteger(row.count) }))
}
