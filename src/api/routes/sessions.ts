import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { instanceFor, operationFor } from '../../control/access.ts'
import { makeCreateSession } from '../../control/create-session.ts'
import { idSchema, timestampSchema } from '../../domain/model/common.ts'
import { createSessionBody, type User } from '../../domain/model/user.ts'
import { Problem } from '../../domain/problem.ts'
import type { Change } from '../answer.ts'
import { actorOf } from '../authenticate.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { idParams, routeSchema } from '../schema.ts'

/** A user is set in milliseconds where nothing hangs: a person waits no longer to hear what does. */
const waitMs = 10_000

const sessionView = z
  .object({
    id: idSchema('user'),
    valkey_instance_id: idSchema('instance'),
    username: z.string(),
    password: z.string().optional().meta({ description: 'Shown in this answer only' }),
    privileges: z.array(z.string()),
    expires_at: timestampSchema,
    operation_id: idSchema('operation').optional(),
    secret_already_shown: z.literal(true).optional().meta({ description: 'A replayed answer, without its secret' }),
  })
  .meta({ id: 'Session', description: 'A short-lived user: DELETE /valkey-users/{id} ends it before its time' })

const presentSession = (user: User) => ({
  id: user.id,
  valkey_instance_id: user.instanceId,
  username: user.username,
  privileges: user.privileges,
  expires_at: user.expiresAt,
})

/** POST /valkey-instances/{id}/sessions */
export function sessionRoute(app: Api, deps: RouteDeps, change: Change): void {
  const useCase = makeCreateSession(deps.control)

  /** The password is of use only once the server knows the user. */
  async function served(request: FastifyRequest, reply: FastifyReply, operationId: string): Promise<void> {
    const gone = new AbortController()
    // Not of the socket: that one is kept for further requests, and would gather a listener from each.
    reply.raw.once('close', () => gone.abort())
    await deps.driver.settled(operationId, waitMs, AbortSignal.any([gone.signal, deps.closing]))
    const { operation, instance } = await deps.store.read(async (db) => {
      const operation = await operationFor(db, actorOf(request), operationId)
      return { operation, instance: await instanceFor(db, actorOf(request), operation.instanceId) }
    })
    if (operation.status === 'succeeded') return
    const state = `the instance is ${instance.health}${instance.statusMessage ? ` (${instance.statusMessage})` : ''}`
    const why = operation.cause?.message ?? `the operation is ${operation.status} after ${waitMs / 1000} s; ${state}`
    throw new Problem('unavailable', `The session could not be served: ${why}`, { operationId })
  }

  app.post(
    '/valkey-instances/:id/sessions',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag: 'users',
        summary: "Begin a person's session",
        description: 'A user of its own that can log in when this answers, and is gone when its time is up.',
        params: idParams('instance'),
        body: createSessionBody.optional(),
        answers: { 201: sessionView },
        problems: ['wrong-state', 'limit-reached', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = { instanceId: request.params.id, body: request.body ?? {} }
      const done = await change(request, reply, { useCase, input, status: 201, present: presentSession })
      if (done.operationId !== null) {
        deps.sessions.changed()
        await served(request, reply as never, done.operationId)
      }
      return done.send()
    },
  )
}
