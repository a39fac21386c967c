import { z } from 'zod'
import { operationFor } from '../../control/access.ts'
import { makeCancelOperation } from '../../control/cancel-operation.ts'
import { idSchema } from '../../domain/model/common.ts'
import { operationStatuses, operationView } from '../../domain/model/operation.ts'
import { listOperations, type OperationFilter } from '../../store/operations.ts'
import { type Change, sendOne, sendPage } from '../answer.ts'
import { actorOf } from '../authenticate.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentOperation } from '../present.ts'
import { idParams, listOf, noBody, pageQuery, queryInteger, routeSchema } from '../schema.ts'

const tag = 'operations'
const byId = idParams('operation')
const maxWaitS = 300
const defaultWaitS = 30

const listQuery = z.strictObject({
  ...pageQuery,
  instance_id: idSchema('instance').optional(),
  status: z.enum(operationStatuses).optional(),
})
const waitQuery = z.strictObject({
  timeout_s: queryInteger(0, maxWaitS, `Seconds to wait at most; default ${defaultWaitS}`).optional(),
})

function reads(app: Api, deps: RouteDeps): void {
  app.get(
    '/operations',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag,
        summary: 'List operations, newest first',
        query: listQuery,
        answers: { 200: listOf(operationView) },
      }),
    },
    (request, reply) => {
      const { tenantId } = actorOf(request)
      const { instance_id, status } = request.query
      const filter: OperationFilter = {
        ...(tenantId === null ? {} : { tenantId }),
        ...(instance_id === undefined ? {} : { instanceId: instance_id }),
        ...(status === undefined ? {} : { status }),
      }
      return sendPage(deps, reply, request.query, (db, page) => listOperations(db, filter, page), presentOperation)
    },
  )

  app.get(
    '/operations/:id',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({ tag, summary: 'Get an operation', params: byId, answers: { 200: operationView } }),
    },
    async (request, reply) => {
      const operation = await deps.store.read((db) => operationFor(db, actorOf(request), request.params.id))
      return sendOne(reply, operation, presentOperation)
    },
  )

  app.get(
    '/operations/:id/wait',
    {
      config: { scope: 'valkey:read' },
      schema: routeSchema({
        tag,
        summary: 'Wait until an operation is over',
        description: 'Answers as soon as it is neither pending nor running, or when the time is up: look at status.',
        params: byId,
        query: waitQuery,
        answers: { 200: operationView },
      }),
    },
    async (request, reply) => {
      const { id } = request.params
      const actor = actorOf(request)
      await deps.store.read((db) => operationFor(db, actor, id))
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const signal = AbortSignal.any([gone.signal, deps.closing])
      await deps.driver.settled(id, (request.query.timeout_s ?? defaultWaitS) * 1000, signal)
      return sendOne(reply, await deps.store.read((db) => operationFor(db, actor, id)), presentOperation)
    },
  )
}

/** /operations */
export function operationRoutes(app: Api, deps: RouteDeps, change: Change): void {
  reads(app, deps)
  const cancel = makeCancelOperation(deps.control)
  app.post(
    '/operations/:id/cancel',
    {
      config: { scope: 'valkey:write' },
      schema: routeSchema({
        tag,
        summary: 'Cancel an operation that is still open',
        description: 'What it changed is put back as a new generation; a cancelled create leaves its target failed.',
        params: byId,
        body: noBody,
        answers: { 202: operationView },
        problems: ['wrong-state', 'no-room', 'limit-reached', 'precondition-failed', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = { id: request.params.id }
      return (await change(request, reply, { useCase: cancel, input, status: 202, present: presentOperation })).send()
    },
  )
}
