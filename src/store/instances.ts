import type { Selectable } from 'kysely'
import type { Instance } from '../domain/model/instance.ts'
import type { DesiredState, Health, Status } from '../domain/model/status.ts'
import { type Listed, listed, type Page, pageStart, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

/** An instance and the name of its shard, as every answer shows it. */
export type NamedInstance = Instance & { shardName: string | null }

/** What changes, and when. */
export type InstancePatch = Partial<Omit<Instance, 'id' | 'createdAt' | 'revision'>> & Pick<Instance, 'updatedAt'>

const list = 'instances'

const toInstance = (row: Selectable<Database['instances']> & { shard_name: string | null }): NamedInstance => ({
  ...fromRow(row),
  settings: JSON.parse(row.settings) as Instance['settings'],
  status: row.status as Status,
  health: row.health as Health,
  desiredState: row.desired_state as DesiredState,
  deletionProtection: row.deletion_protection === 1,
  everActive: row.ever_active === 1,
})

const select = (tx: Tx) =>
  tx
    .selectFrom('instances')
    .leftJoin('shards', 'shards.id', 'instances.shard_id')
    .selectAll('instances')
    .select('shards.name as shard_name')

/** @throws a unique violation where the tenant has an instance of that name */
export async function insertInstance(tx: Tx, instance: Instance): Promise<void> {
  await tx.insertInto('instances').values(toRow(instance)).execute()
}

/** Not a deleted one. */
export async function findInstance(tx: Tx, id: string): Promise<NamedInstance | undefined> {
  const instance = await findAnyInstance(tx, id)
  return instance?.deletedAt === null ? instance : undefined
}

/** Also a deleted one. */
export async function findAnyInstance(tx: Tx, id: string): Promise<NamedInstance | undefined> {
  const row = await select(tx).where('instances.id', '=', id).executeTakeFirst()
  return row && toInstance(row)
}

/** Not a deleted one. @param tenantId null: among the detached ones, whose names need not be unique: the oldest */
export async function findInstanceByName(
  tx: Tx,
  tenantId: string | null,
  name: string,
): Promise<NamedInstance | undefined> {
  const row = await select(tx)
    .where('instances.tenant_id', tenantId === null ? 'is' : '=', tenantId)
    .where('instances.name', '=', name)
    .where('instances.deleted_at', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row && toInstance(row)
}

/**
 * Oldest first, deleted ones aside.
 * @param filter tenantId null: detached ones; left out: all
 * @throws BadCursor
 */
export async function listInstances(
  tx: Tx,
  filter: { tenantId?: string | null },
  page: Page,
): Promise<Listed<NamedInstance>> {
  const { tenantId } = filter
  const rows = await select(tx)
    .where('instances.deleted_at', 'is', null)
    .$if(tenantId !== undefined, (q) =>
      q.where('instances.tenant_id', tenantId === null ? 'is' : '=', tenantId as string | null),
    )
    .where('instances.id', '>', pageStart(list, page))
    .orderBy('instances.id')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, rows.map(toInstance))
}

/** Ids of those not deleted, in order, for sweeps. @param after the last id of the page before; '' at first */
export async function listInstanceIds(tx: Tx, after: string, limit: number): Promise<string[]> {
  const rows = await tx
    .selectFrom('instances')
    .select('id')
    .where('deleted_at', 'is', null)
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}

/** Changes what `patch` carries, and the revision. @returns the instance as it is now. @throws where it is not there */
export async function updateInstance(tx: Tx, id: string, patch: InstancePatch): Promise<NamedInstance> {
  await tx
    .updateTable('instances')
    .set((e) => ({ ...toRow(patch), revision: e('revision', '+', 1) }))
    .where('id', '=', id)
    .execute()
  const instance = await findAnyInstance(tx, id)
  if (instance === undefined) throw new Error(`no instance ${id}`)
  return instance
}

/**
 * Health is observed, not asked for: neither revision nor updated_at change.
 * @param seen.reason becomes the message of an active instance; of any other the message tells of its operation
 */
export async function setInstanceHealth(
  tx: Tx,
  id: string,
  { health, reason }: { health: Health; reason: string | null },
): Promise<void> {
  await tx
    .updateTable('instances')
    .set((e) => ({
      health,
      status_message: e.case().when('status', '=', 'active').then(reason).else(e.ref('status_message')).end(),
    }))
    .where('id', '=', id)
    .execute()
}
