import { transition } from '../domain/lifecycle.ts'
import { engineAtLeast } from '../domain/conf/engine-version.ts'
import type { RetryInstance } from '../domain/model/instance.ts'
import type { OperationKind } from '../domain/model/operation.ts'
import type { User } from '../domain/model/user.ts'
import { Problem } from '../domain/problem.ts'
import { updateInstance, type NamedInstance } from '../store/instances.ts'
import { serversOfInstances, updateServer } from '../store/servers.ts'
import { lastKindEnded } from '../store/operation-history.ts'
import { updateUser } from '../store/users.ts'
import type { Tx } from '../store/store.ts'
import { checkRevision, instanceFor, refuseDoomed, userFor } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { openOperation } from './open-operation.ts'
import type { UseCase } from './use-case.ts'

/** The kind of the operation that failed last (or was cancelled): a retry resumes the same intent. */
async function failedKind(tx: Tx, instanceId: string, userId: string | null, otherwise: OperationKind) {
  return (await lastKindEnded(tx, instanceId, userId, ['failed', 'cancelled'])) ?? otherwise
}

const notFailed = (noun: string, status: string) =>
  new Problem('wrong-state', `The ${noun} is ${status}; only a failed one can be retried.`)

/**
 * Moves an instance to the newer engine that its node has now, because a person said so.
 * @throws Problem wrong-state where the node has another one, or the step is a way back: older engines cannot read
 *   what newer ones wrote (facts on versions)
 */
async function acceptEngine(deps: ControlDeps, tx: Tx, instance: NamedInstance, wanted: string): Promise<void> {
  for (const server of await serversOfInstances(tx, [instance.id])) {
    const has = deps.engineVersion(server.nodeId)
    if (has !== wanted)
      throw new Problem('wrong-state', `The node has Valkey ${has ?? 'none that the platform reaches'}, not ${wanted}.`)
    if (!engineAtLeast(wanted, server.engineVersion))
      throw new Problem('wrong-state', `Data of Valkey ${server.engineVersion} cannot be opened by ${wanted}.`)
    await updateServer(tx, server.id, { engineVersion: wanted })
  }
}

/** A new operation of the kind that failed last, for the present generation: a failed delete goes on deleting. */
export const makeRetryInstance =
  (deps: ControlDeps): UseCase<{ id: string; body: RetryInstance }, NamedInstance> =>
  async (tx, context, { id, body }) => {
    const instance = await instanceFor(tx, context.actor, id)
    checkRevision(context, instance)
    if (instance.status !== 'failed') throw notFailed('instance', instance.status)
    const kind = await failedKind(tx, id, null, 'update')
    if (kind === 'delete') {
      await updateInstance(tx, id, { status: transition(instance.status, 'delete'), updatedAt: context.now })
    }
    if (body.accept_engine !== undefined) {
      await acceptEngine(deps, tx, instance, body.accept_engine)
      await updateInstance(tx, id, { engineVersion: body.accept_engine, updatedAt: context.now })
    }
    const operationId = await openOperation(deps, tx, context, instance, {
      kind,
      targetGeneration: instance.generation,
      acceptData: body.accept_data ?? null,
    })
    return {
      result: await instanceFor(tx, context.actor, id),
      operationId,
      wake: id,
      audit: { action: 'instance.retry', target: id, detail: { kind, ...body } },
    }
  }

/** The same for one user. */
export const makeRetryUser =
  (deps: ControlDeps): UseCase<{ id: string }, User> =>
  async (tx, context, { id }) => {
    const { user, instance } = await userFor(tx, context.actor, id)
    checkRevision(context, user)
    await refuseDoomed(tx, instance)
    if (user.status !== 'failed') throw notFailed('user', user.status)
    const kind = await failedKind(tx, instance.id, id, 'user-update')
    if (kind === 'user-delete' || kind === 'session-end') {
      await updateUser(tx, id, { status: transition(user.status, 'delete'), updatedAt: context.now })
    }
    const operationId = await openOperation(deps, tx, context, instance, {
      kind,
      userId: id,
      targetGeneration: user.generation,
    })
    return {
      result: (await userFor(tx, context.actor, id)).user,
      operationId,
      wake: instance.id,
      audit: { action: 'user.retry', target: id, detail: { kind } },
    }
  }
