import { type Selectable, sql } from 'kysely'
import type { Cause } from '../domain/model/common.ts'
import type { Operation, OperationKind, OperationStatus, OperationStep } from '../domain/model/operation.ts'
import { type Listed, listed, type Page, pageStartNewest, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

export type OperationWithSteps = Operation & { steps: OperationStep[] }
/** What changes, and when. */
export type OperationPatch = Partial<
  Omit<Operation, 'id' | 'kind' | 'instanceId' | 'userId' | 'actor' | 'requestId' | 'createdAt' | 'revision'>
> &
  Pick<Operation, 'updatedAt'>

const list = 'operations'

/** Spelled out, not bound: a partial index is used only where the planner sees its condition. */
const isOpen = sql<boolean>`status in ('pending', 'running')`
const isUnfinishedDelete = sql<boolean>`kind in ('delete', 'user-delete', 'session-end')
  and status not in ('succeeded', 'cancelled')`

const toOperation = (row: Selectable<Database['operations']>): Operation => ({
  ...fromRow(row),
  kind: row.kind as OperationKind,
  status: row.status as OperationStatus,
  cause: row.cause === null ? null : (JSON.parse(row.cause) as Cause),
  acceptData: row.accept_data as Operation['acceptData'],
  undo: row.undo === null ? null : (JSON.parse(row.undo) as Record<string, unknown>),
})

/** Adds the steps, with one query for all. */
async function withSteps(tx: Tx, operations: Operation[]): Promise<OperationWithSteps[]> {
  if (operations.length === 0) return []
  const ids = operations.map((operation) => operation.id)
  const rows = await tx
    .selectFrom('operation_steps')
    .selectAll()
    .where('operation_id', 'in', ids)
    .orderBy('operation_id')
    .orderBy('seq')
    .execute()
  const byOperation = Map.groupBy(rows, (row) => row.operation_id)
  return operations.map((operation) => ({
    ...operation,
    steps: (byOperation.get(operation.id) ?? []).map((row) => {
      const { operationId: _, ...step } = fromRow(row)
      return { ...step, status: step.status as OperationStep['status'] }
    }),
  }))
}

export async function insertOperation(tx: Tx, operation: Operation): Promise<void> {
  await tx.insertInto('operations').values(toRow(operation)).execute()
}

export async function findOperation(tx: Tx, id: string): Promise<OperationWithSteps | undefined> {
  const rows = await tx.selectFrom('operations').selectAll().where('id', '=', id).execute()
  const [operation] = await withSteps(tx, rows.map(toOperation))
  return operation
}

export type OperationFilter = { tenantId?: string; instanceId?: string; status?: OperationStatus }

/** Newest first. @throws BadCursor */
export async function listOperations(tx: Tx, filter: OperationFilter, page: Page): Promise<Listed<OperationWithSteps>> {
  const { tenantId, instanceId, status } = filter
  let query = tx.selectFrom('operations').selectAll()
  if (instanceId !== undefined) query = query.where('instance_id', '=', instanceId)
  if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
  if (status !== undefined) query = query.where('status', '=', status)
  const rows = await query
    .where('id', '<', pageStartNewest(list, 'op', page))
    .orderBy('id', 'desc')
    .limit(rowLimit(page))
    .execute()
  const { items, ...rest } = listed(list, page, rows.map(toOperation))
  return { items: await withSteps(tx, items), ...rest }
}

/** Those of an instance that are not over, oldest first. */
export async function openOperations(tx: Tx, instanceId: string): Promise<Operation[]> {
  const rows = await tx
    .selectFrom('operations')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where(isOpen)
    .orderBy('id')
    .execute()
  return rows.map(toOperation)
}

/**
 * What of an instance was asked to end and has not: itself (no userId) or a user of it. A delete is final, so a failed
 * one counts too, until it is retried and succeeds.
 */
export async function deletesOfInstance(tx: Tx, instanceId: string): Promise<Pick<Operation, 'userId'>[]> {
  const rows = await tx
    .selectFrom('operations')
    .select('user_id')
    .where('instance_id', '=', instanceId)
    .where(isUnfinishedDelete)
    .execute()
  return rows.map(fromRow)
}

/** Ids of the instances that have operations which are not over, in no order. */
export async function instancesWithOpenOperations(tx: Tx): Promise<string[]> {
  const rows = await tx.selectFrom('operations').select('instance_id').where(isOpen).execute()
  return [...new Set(rows.map((row) => row.instance_id))]
}

/** Changes what `patch` carries, and the revision. @returns the operation as it is now. @throws where it is not there */
export async function updateOperation(tx: Tx, id: string, patch: OperationPatch): Promise<Operation> {
  const row = await tx
    .updateTable('operations')
    .set((e) => ({ ...toRow(patch), revision: e('revision', '+', 1) }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw new Error(`no operation ${id}`)
  return toOperation(row)
}

/** Writes the steps, each over the one with its `seq`. */
export async function saveSteps(tx: Tx, operationId: string, steps: readonly OperationStep[]): Promise<void> {
  if (steps.length === 0) return
  await tx
    .insertInto('operation_steps')
    .values(steps.map((step) => ({ ...toRow(step), operation_id: operationId })))
    .onConflict((c) =>
      c.columns(['operation_id', 'seq']).doUpdateSet((e) => ({
        kind: e.ref('excluded.kind'),
        server_id: e.ref('excluded.server_id'),
        attempt: e.ref('excluded.attempt'),
        status: e.ref('excluded.status'),
        started_at: e.ref('excluded.started_at'),
        finished_at: e.ref('excluded.finished_at'),
        error: e.ref('excluded.error'),
      })),
    )
    .execute()
}

/** The instance whose operations ever did something on the server, also when both are gone. */
export async function instanceOfServer(tx: Tx, serverId: string): Promise<string | undefined> {
  const row = await tx
    .selectFrom('operation_steps')
    .innerJoin('operations', 'operations.id', 'operation_steps.operation_id')
    .select('operations.instance_id')
    .where('operation_steps.server_id', '=', serverId)
    .limit(1)
    .executeTakeFirst()
  return row?.instance_id
}

/** How many steps each operation shows; one without any is left out. */
export async function countSteps(tx: Tx, operationIds: readonly string[]): Promise<Map<string, number>> {
  if (operationIds.length === 0) return new Map()
  const rows = await tx
    .selectFrom('operation_steps')
    .select((e) => ['operation_id', e.fn.max('seq').as('steps')])
    .where('operation_id', 'in', operationIds)
    .groupBy('operation_id')
    .execute()
  return new Map(rows.map((row) => [row.operation_id, row.steps]))
}
