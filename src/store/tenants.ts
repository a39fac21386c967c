import type { Tenant } from '../domain/model/tenant.ts'
import { type Listed, listed, type Page, pageStart, rowLimit } from './page.ts'
import { fromRow, toInteger, toRow } from './row.ts'
import type { Tx } from './store.ts'

const list = 'tenants'

/** @throws a unique violation where the name is taken */
export async function insertTenant(tx: Tx, tenant: Tenant): Promise<void> {
  await tx.insertInto('tenants').values(toRow(tenant)).execute()
}

export async function findTenant(tx: Tx, id: string): Promise<Tenant | undefined> {
  const row = await tx.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

export async function findTenantByName(tx: Tx, name: string): Promise<Tenant | undefined> {
  const row = await tx.selectFrom('tenants').selectAll().where('name', '=', name).executeTakeFirst()
  return row && fromRow(row)
}

/** Oldest first. @throws BadCursor */
export async function listTenants(tx: Tx, page: Page): Promise<Listed<Tenant>> {
  const rows = await tx
    .selectFrom('tenants')
    .selectAll()
    .where('id', '>', pageStart(list, page))
    .orderBy('id')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, rows.map(fromRow))
}

/** Its API keys go with it, its deleted instances forget it. @throws where it still has instances */
export async function deleteTenant(tx: Tx, id: string): Promise<void> {
  await tx
    .updateTable('instances')
    .set({ tenant_id: null })
    .where('tenant_id', '=', id)
    .where('deleted_at', 'is not', null)
    .execute()
  await tx.deleteFrom('tenants').where('id', '=', id).execute()
}

/** What its instances use, those being deleted included. */
export async function tenantUsage(tx: Tx, id: string): Promise<{ instances: number; memoryMb: number }> {
  const row = await tx
    .selectFrom('instances')
    .select((e) => [e.fn.countAll().as('instances'), e.fn.sum('max_memory_mb').as('memory_mb')])
    .where('tenant_id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return { instances: toInteger(row.instances), memoryMb: toInteger(row.memory_mb) }
}

/** Changes the limits, and the revision. */
export async function updateTenant(
  tx: Tx,
  id: string,
  patch: Pick<Tenant, 'maxInstances' | 'maxTotalMemoryMb' | 'updatedAt'>,
): Promise<void> {
  await tx
    .updateTable('tenants')
    .set((e) => ({ ...toRow(patch), revision: e('revision', '+', 1) }))
    .where('id', '=', id)
    .execute()
}
