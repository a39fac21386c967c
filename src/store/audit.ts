import type { Selectable } from 'kysely'
import type { AuditRow } from '../domain/model/audit.ts'
import { type Listed, listed, type Page, pageStartNewest, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

const list = 'audit'

const toAuditRow = (row: Selectable<Database['audit']>): AuditRow => ({
  ...fromRow(row),
  outcome: row.outcome as AuditRow['outcome'],
  detail: row.detail === null ? null : (JSON.parse(row.detail) as Record<string, unknown>),
})

export async function insertAuditRow(tx: Tx, row: AuditRow): Promise<void> {
  await tx.insertInto('audit').values(toRow(row)).execute()
}

/** Newest first. @throws BadCursor */
export async function listAuditRows(tx: Tx, page: Page): Promise<Listed<AuditRow>> {
  const rows = await tx
    .selectFrom('audit')
    .selectAll()
    .where('id', '<', pageStartNewest(list, 'aud', page))
    .orderBy('id', 'desc')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, rows.map(toAuditRow))
}
