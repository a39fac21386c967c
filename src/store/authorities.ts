import type { Timestamp } from '../domain/model/common.ts'
import type { SecretRef } from '../domain/server-plan.ts'
import { fromRow, toRow } from './row.ts'
import type { Tx } from './store.ts'

/** A certificate authority of the installation. */
export type Authority = {
  id: string
  certPem: string
  keySecretId: SecretRef
  notAfter: Timestamp
  createdAt: Timestamp
}

export async function insertAuthority(tx: Tx, authority: Authority): Promise<void> {
  await tx.insertInto('authorities').values(toRow(authority)).execute()
}

/** Newest first: the first one issues, all are trusted. There are only ever a few. */
export async function listAuthorities(tx: Tx): Promise<Authority[]> {
  const rows = await tx.selectFrom('authorities').selectAll().where('id', '>', '').orderBy('id', 'desc').execute()
  return rows.map(fromRow)
}
