/** Questions about an instance's operations that are over. */
import type { OperationKind, OperationStatus } from '../domain/model/operation.ts'
import type { Tx } from './store.ts'

/**
 * The kind of the newest operation that ended so.
 * @param userId the user's operations; null: the instance's own
 */
export async function lastKindEnded(
  tx: Tx,
  instanceId: string,
  userId: string | null,
  statuses: readonly OperationStatus[],
): Promise<OperationKind | undefined> {
  const row = await tx
    .selectFrom('operations')
    .select('kind')
    .where('instance_id', '=', instanceId)
    .where('user_id', userId === null ? 'is' : '=', userId)
    .where('status', 'in', statuses)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.kind as OperationKind | undefined
}

/** An instance's operations, old ones too, go with it to another tenant (null: to none). */
export async function moveOperations(tx: Tx, instanceId: string, tenantId: string | null): Promise<void> {
  await tx
    .updateTable('operations')
    .set((e) => ({ tenant_id: tenantId, revision: e('revision', '+', 1) }))
    .where('instance_id', '=', instanceId)
    .execute()
}
