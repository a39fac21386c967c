import { z } from 'zod'
import { makeCreateApiKey, makeDeleteApiKey } from '../../control/api-keys.ts'
import { apiKeyView, createApiKeyBody } from '../../domain/model/api-key.ts'
import { Problem } from '../../domain/problem.ts'
import { findApiKey, listApiKeys } from '../../store/api-keys.ts'
import { type Change, sendOne, sendPage } from '../answer.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentApiKey } from '../present.ts'
import { idParams, listOf, pageQuery, routeSchema } from '../schema.ts'

const tag = 'api-keys'
const byId = idParams('apiKey')
const config = { scope: 'admin' } as const

const createdView = apiKeyView
  .extend({
    key: z.string().optional().meta({ description: 'The key itself: shown in this answer only' }),
    secret_already_shown: z.literal(true).optional().meta({ description: 'A replayed answer, without the key' }),
  })
  .meta({ id: 'CreatedApiKey' })

/** /api-keys */
export function apiKeyRoutes(app: Api, deps: RouteDeps, change: Change): void {
  const create = makeCreateApiKey(deps.control)
  app.post(
    '/api-keys',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'Create an API key, of the platform or of a tenant',
        body: createApiKeyBody,
        answers: { 201: createdView },
        problems: ['idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = request.body
      return (await change(request, reply, { useCase: create, input, status: 201, present: presentApiKey })).send()
    },
  )

  app.get(
    '/api-keys',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'List API keys; never the keys themselves',
        query: z.strictObject(pageQuery),
        answers: { 200: listOf(apiKeyView) },
      }),
    },
    (request, reply) => sendPage(deps, reply, request.query, listApiKeys, presentApiKey),
  )

  app.get(
    '/api-keys/:id',
    { config, schema: routeSchema({ tag, summary: 'Get an API key', params: byId, answers: { 200: apiKeyView } }) },
    async (request, reply) => {
      const key = await deps.store.read((db) => findApiKey(db, request.params.id))
      if (key === undefined) throw new Problem('not-found', 'There is no such API key.')
      return sendOne(reply, key, presentApiKey)
    },
  )

  const remove = makeDeleteApiKey()
  app.delete(
    '/api-keys/:id',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'Delete an API key: the next request with it is refused',
        params: byId,
        answers: { 204: null },
        problems: ['wrong-state', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id }
      return (await change(request, reply, { useCase: remove, input, status: 204, present: () => null })).send()
    },
  )
}
