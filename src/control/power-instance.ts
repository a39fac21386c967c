import type { DesiredState } from '../domain/model/status.ts'
import { updateInstance, type NamedInstance } from '../store/instances.ts'
import { checkRevision, instanceFor, refuseDoomed } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { openOperation, supersede } from './open-operation.ts'
import type { UseCase } from './use-case.ts'

const makePower =
  (deps: ControlDeps, kind: 'start' | 'stop', desiredState: DesiredState): UseCase<{ id: string }, NamedInstance> =>
  async (tx, context, { id }) => {
    const instance = await instanceFor(tx, context.actor, id)
    checkRevision(context, instance)
    await refuseDoomed(tx, instance)
    const generation = instance.generation + 1
    await updateInstance(tx, id, { desiredState, generation, updatedAt: context.now })
    await supersede(tx, context, { instanceId: id, userId: null, kinds: ['start', 'stop'] })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind,
      targetGeneration: generation,
      undo: { desiredState: instance.desiredState },
    })
    return {
      result: await instanceFor(tx, context.actor, id),
      operationId,
      wake: id,
      audit: { action: `instance.${kind}`, target: id },
    }
  }

/** The server saves and exits; data, port and users stay. Asked again, it confirms. */
export const makeStopInstance = (deps: ControlDeps) => makePower(deps, 'stop', 'stopped')

/** Runs it again on its port. Asked again, it confirms. */
export const makeStartInstance = (deps: ControlDeps) => makePower(deps, 'start', 'running')
