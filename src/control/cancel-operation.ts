import { harmfulChanges, type InstanceSettings } from '../domain/conf/settings.ts'
import { nextStatus } from '../domain/lifecycle.ts'
import type { Cause } from '../domain/model/common.ts'
import type { DesiredState } from '../domain/model/status.ts'
import type { Operation } from '../domain/model/operation.ts'
import type { Sealed } from '../domain/ports/vault.ts'
import { Problem } from '../domain/problem.ts'
import { findInstance, updateInstance } from '../store/instances.ts'
import { type OperationWithSteps, openOperations, updateOperation } from '../store/operations.ts'
import { deleteSecrets, insertSecrets } from '../store/secrets.ts'
import { findUser, updateUser } from '../store/users.ts'
import type { Tx } from '../store/store.ts'
import { checkRevision, operationFor } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { resize } from './patch-instance.ts'
import type { Context, UseCase } from './use-case.ts'

/** What update, start and stop keep of the instance before them. */
type InstanceUndo = { maxMemoryMb?: number; settings?: InstanceSettings; desiredState?: DesiredState }
/** What user-update keeps of the user before it; the password's digest stays sealed. */
type UserUndo = { privileges: string[]; keyPattern: string; channelPattern: string | null; password?: Sealed }

async function undoInstance(deps: ControlDeps, tx: Tx, context: Context, operation: Operation): Promise<void> {
  const undo = (operation.undo ?? {}) as InstanceUndo
  const instance = await findInstance(tx, operation.instanceId)
  if (instance === undefined) throw new Error(`open operation ${operation.id} of an instance without a row`)
  const harmful = harmfulChanges(instance.settings, undo.settings ?? instance.settings)
  if (harmful.length > 0)
    throw new Problem('wrong-state', `${harmful.join(', ')} can only grow; it cannot be put back.`)
  if (undo.maxMemoryMb !== undefined) await resize(tx, deps, instance, undo.maxMemoryMb)
  await updateInstance(tx, instance.id, { ...undo, generation: instance.generation + 1, updatedAt: context.now })
}

async function undoUser(tx: Tx, context: Context, operation: Operation): Promise<void> {
  const { password, ...fields } = operation.undo as UserUndo
  const user = operation.userId === null ? undefined : await findUser(tx, operation.userId)
  if (user === undefined) throw new Error(`open operation ${operation.id} of a user without a row`)
  if (password !== undefined) {
    await deleteSecrets(tx, [user.passwordSecretId])
    await insertSecrets(tx, [{ id: user.passwordSecretId, ...password, createdAt: context.now }])
  }
  await updateUser(tx, user.id, { ...fields, generation: user.generation + 1, updatedAt: context.now })
}

/** The target of a cancelled create is failed, so that it can be retried or deleted. */
async function giveUp(tx: Tx, context: Context, operation: Operation, cause: Cause): Promise<void> {
  const changes = { statusMessage: cause.message, updatedAt: context.now }
  if (operation.userId === null) {
    const instance = await findInstance(tx, operation.instanceId)
    const status = instance && nextStatus(instance.status, 'give-up')
    if (status !== undefined) await updateInstance(tx, operation.instanceId, { ...changes, status })
    return
  }
  const user = await findUser(tx, operation.userId)
  const status = user && nextStatus(user.status, 'give-up')
  if (status !== undefined) await updateUser(tx, operation.userId, { ...changes, status, held: true })
}

async function apply(deps: ControlDeps, tx: Tx, context: Context, operation: Operation, cause: Cause): Promise<void> {
  switch (operation.kind) {
    case 'update':
    case 'start':
    case 'stop':
      return undoInstance(deps, tx, context, operation)
    case 'user-update':
      return undoUser(tx, context, operation)
    case 'create':
    case 'user-create':
      return giveUp(tx, context, operation, cause)
    case 'delete':
    case 'repair':
    case 'user-delete':
    case 'session-create':
    case 'session-end':
      throw new Problem('wrong-state', `An operation of kind ${operation.kind} cannot be cancelled.`)
  }
}

/**
 * Ends an operation that is still open and the newest of its target. What it changed is put back as a new generation;
 * a create leaves its target failed.
 */
export const makeCancelOperation =
  (deps: ControlDeps): UseCase<{ id: string }, OperationWithSteps> =>
  async (tx, context, { id }) => {
    const operation = await operationFor(tx, context.actor, id)
    checkRevision(context, operation)
    const open = await openOperations(tx, operation.instanceId)
    if (!open.some((each) => each.id === id)) {
      throw new Problem('wrong-state', `The operation is ${operation.status}; it is too late to cancel it.`)
    }
    const newest = open.findLast((each) => each.userId === operation.userId)
    if (newest?.id !== id) throw new Problem('wrong-state', 'A newer operation builds on it; cancel that one first.')
    const cause: Cause = { code: 'cancelled', message: `cancelled by ${context.actor.name}` }
    await apply(deps, tx, context, operation, cause)
    await updateOperation(tx, id, {
      status: 'cancelled',
      cause,
      undo: null,
      finishedAt: context.now,
      updatedAt: context.now,
    })
    return {
      result: await operationFor(tx, context.actor, id),
      operationId: id,
      wake: operation.instanceId,
      audit: { action: 'operation.cancel', target: id, detail: { kind: operation.kind } },
    }
  }
