import { z } from 'zod'
import { makeCreateShard, makeDeleteShard } from '../../control/shards.ts'
import { createShardBody, shardView } from '../../domain/model/shard.ts'
import { Problem } from '../../domain/problem.ts'
import { findShard, listShards } from '../../store/shards.ts'
import { type Change, sendOne, sendPage } from '../answer.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentShard } from '../present.ts'
import { idParams, listOf, pageQuery, routeSchema } from '../schema.ts'

const tag = 'shards'
const byId = idParams('shard')
const config = { scope: 'admin' } as const

/** /shards */
export function shardRoutes(app: Api, deps: RouteDeps, change: Change): void {
  const create = makeCreateShard(deps.control)
  app.post(
    '/shards',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'Create a shard of nodes',
        body: createShardBody,
        answers: { 201: shardView },
        problems: ['name-taken', 'idempotency-conflict'],
      }),
    },
    async (request, reply) => {
      const input = request.body
      return (await change(request, reply, { useCase: create, input, status: 201, present: presentShard })).send()
    },
  )

  app.get(
    '/shards',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'List shards',
        query: z.strictObject(pageQuery),
        answers: { 200: listOf(shardView) },
      }),
    },
    (request, reply) => sendPage(deps, reply, request.query, listShards, presentShard),
  )

  app.get(
    '/shards/:id',
    { config, schema: routeSchema({ tag, summary: 'Get a shard', params: byId, answers: { 200: shardView } }) },
    async (request, reply) => {
      const shard = await deps.store.read((db) => findShard(db, request.params.id))
      if (shard === undefined) throw new Problem('not-found', 'There is no such shard.')
      return sendOne(reply, shard, presentShard)
    },
  )

  const remove = makeDeleteShard()
  app.delete(
    '/shards/:id',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'Delete a shard without instances; its nodes stay',
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
