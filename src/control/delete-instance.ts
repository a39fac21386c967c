import { transition } from '../domain/lifecycle.ts'
import { Problem } from '../domain/problem.ts'
import { updateInstance, type NamedInstance } from '../store/instances.ts'
import { checkRevision, instanceFor, refuseDeleting } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { openOperation, supersede } from './open-operation.ts'
import type { UseCase } from './use-case.ts'

/** Final, and possible from every state but deleting. Ends every open operation of the instance and of its users. */
export const makeDeleteInstance =
  (deps: ControlDeps): UseCase<{ id: string }, NamedInstance> =>
  async (tx, context, { id }) => {
    const instance = await instanceFor(tx, context.actor, id)
    checkRevision(context, instance)
    refuseDeleting('instance', instance)
    if (instance.deletionProtection) throw new Problem('protected', `Instance ${instance.name} is protected.`)
    const generation = instance.generation + 1
    await updateInstance(tx, id, {
      status: transition(instance.status, 'delete'),
      statusMessage: null,
      generation,
      updatedAt: context.now,
    })
    await supersede(tx, context, { instanceId: id, all: true })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind: 'delete',
      targetGeneration: generation,
    })
    return {
      result: await instanceFor(tx, context.actor, id),
      operationId,
      wake: id,
      audit: { action: 'instance.delete', target: id, detail: { name: instance.name } },
    }
  }
