import type { Timestamp } from '../domain/model/common.ts'
import type { SecretRef } from '../domain/server-plan.ts'
import { fromRow, toRow } from './row.ts'
import type { Tx } from './store.ts'

/** A sealed secret: only the vault can open it. */
export type SealedSecret = {
  id: SecretRef
  /** The key-encryption key it is sealed with. */
  keyId: string
  blob: string
  createdAt: Timestamp
}

export async function insertSecrets(tx: Tx, secrets: readonly SealedSecret[]): Promise<void> {
  if (secrets.length === 0) return
  await tx.insertInto('secrets').values(secrets.map(toRow)).execute()
}

/** Those that are there, by id. */
export async function findSecrets(tx: Tx, ids: readonly SecretRef[]): Promise<Map<SecretRef, SealedSecret>> {
  if (ids.length === 0) return new Map()
  const rows = await tx.selectFrom('secrets').selectAll().where('id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.id, fromRow(row)]))
}

/** Safe to repeat. */
export async function deleteSecrets(tx: Tx, ids: readonly SecretRef[]): Promise<void> {
  if (ids.length === 0) return
  await tx.deleteFrom('secrets').where('id', 'in', ids).execute()
}
