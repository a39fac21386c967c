import type { Instance } from '../domain/model/instance.ts'
import type { Operation, OperationKind } from '../domain/model/operation.ts'
import { insertOperation, openOperations, updateOperation } from '../store/operations.ts'
import type { Tx } from '../store/store.ts'
import type { ControlDeps } from './deps.ts'
import type { Context } from './use-case.ts'

type Asked = Pick<Operation, 'kind' | 'targetGeneration'> & {
  userId?: string
  undo?: Record<string, unknown>
  acceptData?: Operation['acceptData']
  note?: string
}

/** Writes a pending operation of an instance, or of one of its users. */
export async function openOperation(
  deps: Pick<ControlDeps, 'newId'>,
  tx: Tx,
  context: Context,
  instance: Pick<Instance, 'id' | 'tenantId'>,
  asked: Asked,
): Promise<string> {
  const id = deps.newId('operation')
  await insertOperation(tx, {
    id,
    kind: asked.kind,
    instanceId: instance.id,
    userId: asked.userId ?? null,
    tenantId: instance.tenantId,
    targetGeneration: asked.targetGeneration,
    status: 'pending',
    attempts: 0,
    cause: null,
    note: asked.note ?? null,
    undo: asked.undo ?? null,
    acceptData: asked.acceptData ?? null,
    actor: context.actor.name,
    requestId: context.requestId,
    createdAt: context.now,
    startedAt: null,
    finishedAt: null,
    updatedAt: context.now,
    revision: 1,
  })
  return id
}

/**
 * Ends older open operations that a newer one makes pointless.
 * @param of whose: the instance's own (userId null), one user's, or with `all` everything of the instance
 */
export async function supersede(
  tx: Tx,
  context: Context,
  of:
    | { instanceId: string; userId: string | null; kinds?: readonly OperationKind[] }
    | { instanceId: string; all: true },
): Promise<void> {
  for (const open of await openOperations(tx, of.instanceId)) {
    const meant = 'all' in of || (open.userId === of.userId && (of.kinds === undefined || of.kinds.includes(open.kind)))
    if (!meant) continue
    await updateOperation(tx, open.id, {
      status: 'superseded',
      undo: null,
      finishedAt: context.now,
      updatedAt: context.now,
    })
  }
}
