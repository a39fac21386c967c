import type { CreateSession, User } from '../domain/model/user.ts'
import { Problem } from '../domain/problem.ts'
import { instanceFor } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { insertUser } from './new-user.ts'
import { openOperation } from './open-operation.ts'
import type { UseCase } from './use-case.ts'

const defaultTtlS = 3600
/** Hex digits of the user's own id: random enough that no two sessions share a name. */
const suffixLength = 16

/** The name of a session's user: below the prefix that no tenant can take. */
export const sessionUsername = (suffix: string): string => `valkeep-session-${suffix}`

/**
 * A short-lived user for a person's session: pending here, served once its operation has settled, gone at `expiresAt`.
 * @throws Problem wrong-state where the instance is not active and running: nobody could log in
 */
export const makeCreateSession =
  (deps: ControlDeps): UseCase<{ instanceId: string; body: CreateSession }, User> =>
  async (tx, context, { instanceId, body }) => {
    const instance = await instanceFor(tx, context.actor, instanceId)
    const serving = instance.status === 'active' || (instance.status === 'provisioning' && instance.everActive)
    if (!serving || instance.desiredState !== 'running') {
      const state = instance.desiredState === 'stopped' ? 'stopped' : instance.status
      throw new Problem('wrong-state', `The instance is ${state}; a session needs a running one.`)
    }
    const expiresAt = new Date(Date.parse(context.now) + (body.ttl_s ?? defaultTtlS) * 1000).toISOString()
    const preset = body.preset ?? 'read-only'
    const { user, generated } = await insertUser(deps, tx, context, instance, {
      username: sessionUsername(deps.newId('user').slice(-suffixLength)),
      password: undefined,
      privileges: [preset],
      keyPattern: '~*',
      channelPattern: '&*',
      kind: 'session',
      expiresAt,
    })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind: 'session-create',
      userId: user.id,
      targetGeneration: 1,
    })
    return {
      result: user,
      once: { password: generated },
      operationId,
      wake: instanceId,
      audit: {
        action: 'session.create',
        target: user.id,
        detail: { instanceId, username: user.username, preset, expiresAt },
      },
    }
  }
