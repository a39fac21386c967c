import { z } from 'zod'
import { instanceFor, tenantFor } from '../../control/access.ts'
import { serverName } from '../../control/certificates.ts'
import { makeCreateInstance } from '../../control/create-instance.ts'
import { makeDeleteInstance } from '../../control/delete-instance.ts'
import { makePatchInstance } from '../../control/patch-instance.ts'
import { makeStartInstance, makeStopInstance } from '../../control/power-instance.ts'
import { makeReassignTenant } from '../../control/reassign-tenant.ts'
import { makeRetryInstance } from '../../control/retry.ts'
import { connectionInfo, connectionSchema } from '../../domain/connection.ts'
import { idSchema, slugSchema } from '../../domain/model/common.ts'
import {
  createInstanceBody,
  instanceView,
  patchInstanceBody,
  reassignTenantBody,
  retryInstanceBody,
} from '../../domain/model/instance.ts'
import { Problem } from '../../domain/problem.ts'
import { findInstanceByName, listInstances } from '../../store/instances.ts'
import { findNode } from '../../store/nodes.ts'
import { serversOfInstances } from '../../store/servers.ts'
import { type Change, sendOne, sendPage } from '../answer.ts'
import { actorOf } from '../authenticate.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentInstance } from '../present.ts'
import { idParams, listOf, noBody, pageQuery, routeSchema } from '../schema.ts'

const tag = 'instances'
const byId = idParams('instance')
const ofTenant = z.object({ tenantID: idSchema('tenant') })

const createdView = instanceView
  .extend({
    users: z
      .array(z.object({ id: idSchema('user'), username: z.string(), password: z.string() }))
      .optional()
      .meta({ description: 'The nested users whose password was generated: shown in this answer only' }),
    secret_already_shown: z.literal(true).optional().meta({ description: 'A replayed answer, without its secrets' }),
  })
  .meta({ id: 'CreatedInstance' })

function reads(app: Api, deps: RouteDeps): void {
  app.get(
    '/tenants/:tenantID/valkey-instances',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag,
        summary: 'List the instances of a tenant',
        params: ofTenant,
        query: z.strictObject({
          ...pageQuery,
          name: slugSchema.optional().meta({ description: 'Only the one of this name' }),
        }),
        answers: { 200: listOf(instanceView) },
      }),
    },
    async (request, reply) => {
      const { tenantID } = request.params
      const { name } = request.query
      await deps.store.read((db) => tenantFor(db, actorOf(request), tenantID))
      return sendPage(
        deps,
        reply,
        request.query,
        async (db, page) => {
          if (name === undefined) return listInstances(db, { tenantId: tenantID }, page)
          const found = await findInstanceByName(db, tenantID, name)
          return { items: found ? [found] : [], nextCursor: null, hasMore: false }
        },
        presentInstance,
      )
    },
  )

  app.get(
    '/valkey-instances',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag,
        summary: 'List instances',
        description: 'With a key of the platform all of them, detached ones too; with a tenant’s key its own.',
        query: z.strictObject(pageQuery),
        answers: { 200: listOf(instanceView) },
      }),
    },
    (request, reply) => {
      const { tenantId } = actorOf(request)
      const filter = tenantId === null ? {} : { tenantId }
      return sendPage(deps, reply, request.query, (db, page) => listInstances(db, filter, page), presentInstance)
    },
  )
}

function readsOne(app: Api, deps: RouteDeps): void {
  app.get(
    '/valkey-instances/:id',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({ tag, summary: 'Get an instance', params: byId, answers: { 200: instanceView } }),
    },
    async (request, reply) => {
      const instance = await deps.store.read((db) => instanceFor(db, actorOf(request), request.params.id))
      return sendOne(reply, instance, presentInstance)
    },
  )

  app.get(
    '/valkey-instances/:id/connection',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag,
        summary: 'How to connect to an instance',
        description: 'Address, authorities to trust and ready snippets; no secret.',
        params: byId,
        answers: { 200: connectionSchema },
        problems: ['wrong-state'],
      }),
    },
    async (request, reply) => {
      const { id } = request.params
      const { instance, node } = await deps.store.read(async (db) => {
        const instance = await instanceFor(db, actorOf(request), id)
        const [server] = await serversOfInstances(db, [id])
        return { instance, node: server && (await findNode(db, server.nodeId)) }
      })
      if (node === undefined) throw new Problem('wrong-state', 'The instance is on no node.')
      return reply.send(
        connectionInfo({
          instanceName: instance.name,
          host: node.address,
          port: instance.port,
          serverName: serverName(id),
          caPem: deps.caPem(),
        }),
      )
    },
  )
}

function creates(app: Api, deps: RouteDeps, change: Change): void {
  const useCase = makeCreateInstance(deps.control)
  app.post(
    '/tenants/:tenantID/valkey-instances',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Create an instance, with its users where given',
        params: ofTenant,
        body: createInstanceBody,
        answers: { 202: createdView },
        problems: ['name-taken', 'no-room', 'no-port', 'limit-reached', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = { tenantId: request.params.tenantID, body: request.body }
      const done = await change(request, reply, { useCase, input, status: 202, present: presentInstance })
      return done.send()
    },
  )
}

function changes(app: Api, deps: RouteDeps, change: Change): void {
  const patch = makePatchInstance(deps.control)
  app.patch(
    '/valkey-instances/:id',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Change memory, settings or deletion protection',
        description:
          'Live where Valkey can, else by a restart: each setting says which. Deletion protection alone needs no operation.',
        params: byId,
        body: patchInstanceBody,
        answers: { 202: instanceView },
        problems: ['wrong-state', 'no-room', 'limit-reached', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id, body: request.body }
      return (await change(request, reply, { useCase: patch, input, status: 202, present: presentInstance })).send()
    },
  )

  const remove = makeDeleteInstance(deps.control)
  app.delete(
    '/valkey-instances/:id',
    {
      config: { scope: 'valkey:delete' },
      schema: routeSchema({
        tag,
        summary: 'Delete an instance and its data',
        description: 'Final. Possible from every state but deleting; 409 under deletion protection.',
        params: byId,
        answers: { 202: instanceView },
        problems: ['wrong-state', 'protected', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id }
      return (await change(request, reply, { useCase: remove, input, status: 202, present: presentInstance })).send()
    },
  )

  const reassign = makeReassignTenant()
  app.put(
    '/valkey-instances/:id/tenant',
    {
      config: { scope: 'admin' },
      schema: routeSchema({
        tag,
        summary: 'Give an instance to another tenant, or detach it',
        description: 'Synchronous, metadata only. 409 where the name is taken there.',
        params: byId,
        body: reassignTenantBody,
        answers: { 200: instanceView },
        problems: ['wrong-state', 'name-taken', 'limit-reached', 'precondition-failed'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id, body: request.body }
      return (await change(request, reply, { useCase: reassign, input, status: 200, present: presentInstance })).send()
    },
  )
}

function actions(app: Api, deps: RouteDeps, change: Change): void {
  const power = { stop: makeStopInstance(deps.control), start: makeStartInstance(deps.control) }
  for (const kind of ['stop', 'start'] as const) {
    const summary = kind === 'stop' ? 'Stop an instance; its data stays' : 'Start an instance'
    app.post(
      `/valkey-instances/:id/${kind}`,
      {
        config: { scope: 'valkey:write' },
        schema: routeSchema({
          tag,
          summary,
          params: byId,
          body: noBody,
          answers: { 202: instanceView },
          problems: ['wrong-state', 'precondition-failed', 'idempotency-conflict'],
        }),
      },
      async (request, reply) => {
        const input = { id: request.params.id }
        const done = await change(request, reply, {
          useCase: power[kind],
          input,
          status: 202,
          present: presentInstance,
        })
        return done.send()
      },
    )
  }

  const retry = makeRetryInstance(deps.control)
  app.post(
    '/valkey-instances/:id/retry',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Resume the operation that failed',
        description: 'Only on a failed instance: a failed delete goes on deleting, a failed update goes on updating.',
        params: byId,
        body: retryInstanceBody.optional(),
        answers: { 202: instanceView },
        problems: ['wrong-state', 'precondition-failed', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id, body: request.body ?? {} }
      return (await change(request, reply, { useCase: retry, input, status: 202, present: presentInstance })).send()
    },
  )
}

/** /valkey-instances and a tenant's own. */
export function instanceRoutes(app: Api, deps: RouteDeps, change: Change): void {
  reads(app, deps)
  readsOne(app, deps)
  creates(app, deps, change)
  changes(app, deps, change)
  actions(app, deps, change)
}
