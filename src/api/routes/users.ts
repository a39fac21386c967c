import { z } from 'zod'
import { instanceFor, userFor } from '../../control/access.ts'
import { makeRetryUser } from '../../control/retry.ts'
import { makeCreateUser, makeDeleteUser, makeUpdateUser } from '../../control/users.ts'
import { idSchema } from '../../domain/model/common.ts'
import { createUserBody, updateUserBody, userView } from '../../domain/model/user.ts'
import { listUsers } from '../../store/users.ts'
import { type Change, sendOne, sendPage } from '../answer.ts'
import { actorOf } from '../authenticate.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentUser } from '../present.ts'
import { idParams, listOf, noBody, pageQuery, routeSchema } from '../schema.ts'

const tag = 'users'
const byId = idParams('user')
const ofInstance = z.object({ instanceID: idSchema('instance') })

const createdView = userView
  .extend({
    password: z.string().optional().meta({ description: 'Where it was generated: shown in this answer only' }),
    secret_already_shown: z.literal(true).optional().meta({ description: 'A replayed answer, without its secret' }),
  })
  .meta({ id: 'CreatedUser' })

function reads(app: Api, deps: RouteDeps): void {
  app.get(
    '/valkey-instances/:instanceID/users',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag,
        summary: 'List the users of an instance',
        params: ofInstance,
        query: z.strictObject(pageQuery),
        answers: { 200: listOf(userView) },
      }),
    },
    async (request, reply) => {
      const { instanceID } = request.params
      await deps.store.read((db) => instanceFor(db, actorOf(request), instanceID))
      return sendPage(deps, reply, request.query, (db, page) => listUsers(db, instanceID, page), presentUser)
    },
  )

  app.get(
    '/valkey-users/:id',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({ tag, summary: 'Get a user', params: byId, answers: { 200: userView } }),
    },
    async (request, reply) => {
      const { user } = await deps.store.read((db) => userFor(db, actorOf(request), request.params.id))
      return sendOne(reply, user, presentUser)
    },
  )
}

function writes(app: Api, deps: RouteDeps, change: Change): void {
  const create = makeCreateUser(deps.control)
  app.post(
    '/valkey-instances/:instanceID/users',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Create a user',
        params: ofInstance,
        body: createUserBody,
        answers: { 202: createdView },
        problems: ['wrong-state', 'name-taken', 'limit-reached', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = { instanceId: request.params.instanceID, body: request.body }
      return (await change(request, reply, { useCase: create, input, status: 202, present: presentUser })).send()
    },
  )

  const update = makeUpdateUser(deps.control)
  app.put(
    '/valkey-users/:id',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Change password, privileges or patterns',
        description: 'Only the fields it carries change. Connections stay; new permissions apply at once.',
        params: byId,
        body: updateUserBody,
        answers: { 202: userView },
        problems: ['wrong-state', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id, body: request.body }
      return (await change(request, reply, { useCase: update, input, status: 202, present: presentUser })).send()
    },
  )
}

function ends(app: Api, deps: RouteDeps, change: Change): void {
  const remove = makeDeleteUser(deps.control)
  app.delete(
    '/valkey-users/:id',
    {
      config: { scope: 'valkey:delete' },
      schema: routeSchema({
        tag,
        summary: 'Delete a user and drop its connections',
        params: byId,
        answers: { 202: userView },
        problems: ['wrong-state', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id }
      return (await change(request, reply, { useCase: remove, input, status: 202, present: presentUser })).send()
    },
  )

  const retry = makeRetryUser(deps.control)
  app.post(
    '/valkey-users/:id/retry',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Resume the operation that failed',
        params: byId,
        body: noBody,
        answers: { 202: userView },
        problems: ['wrong-state', 'precondition-failed', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id }
      return (await change(request, reply, { useCase: retry, input, status: 202, present: presentUser })).send()
    },
  )
}

/** /valkey-users and an instance's own. */
export function userRoutes(app: Api, deps: RouteDeps, change: Change): void {
  reads(app, deps)
  writes(app, deps, change)
  ends(app, deps, change)
}
