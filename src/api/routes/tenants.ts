import { z } from 'zod'
import { tenantFor } from '../../control/access.ts'
import { makeCreateTenant, makeDeleteTenant, makePatchTenant } from '../../control/tenants.ts'
import { createTenantBody, patchTenantBody, tenantView } from '../../domain/model/tenant.ts'
import { listTenants } from '../../store/tenants.ts'
import { type Change, sendOne, sendPage } from '../answer.ts'
import { actorOf } from '../authenticate.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentTenant } from '../present.ts'
import { idParams, listOf, pageQuery, routeSchema } from '../schema.ts'

const tag = 'tenants'
const byId = idParams('tenant')
const config = { scope: 'admin' } as const

/** /tenants */
export function tenantRoutes(app: Api, deps: RouteDeps, change: Change): void {
  const create = makeCreateTenant(deps.control)
  app.post(
    '/tenants',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'Create a tenant',
        body: createTenantBody,
        answers: { 201: tenantView },
        problems: ['name-taken', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = request.body
      return (await change(request, reply, { useCase: create, input, status: 201, present: presentTenant })).send()
    },
  )

  app.get(
    '/tenants',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'List tenants',
        query: z.strictObject(pageQuery),
        answers: { 200: listOf(tenantView) },
      }),
    },
    (request, reply) => sendPage(deps, reply, request.query, listTenants, presentTenant),
  )

  app.get(
    '/tenants/:id',
    { config, schema: routeSchema({ tag, summary: 'Get a tenant', params: byId, answers: { 200: tenantView } }) },
    async (request, reply) => {
      const tenant = await deps.store.read((db) => tenantFor(db, actorOf(request), request.params.id))
      return sendOne(reply, tenant, presentTenant)
    },
  )

  changes(app, change)
}

function changes(app: Api, change: Change): void {
  const patch = makePatchTenant()
  app.patch(
    '/tenants/:id',
    {
      config,
      schema: routeSchema({
        tag,
        summary: "Change a tenant's limits",
        description: 'They hold for what is asked from now on: nothing that the tenant has is taken away.',
        params: byId,
        body: patchTenantBody,
        answers: { 200: tenantView },
        problems: ['precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id, body: request.body }
      return (await change(request, reply, { useCase: patch, input, status: 200, present: presentTenant })).send()
    },
  )

  const remove = makeDeleteTenant()
  app.delete(
    '/tenants/:id',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'Delete a tenant without instances; its API keys end with it',
        params: byId,
        answers: { 204: null },
        problems: ['not-empty', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id }
      return (await change(request, reply, { useCase: remove, input, status: 204, present: () => null })).send()
    },
  )
}
