import { z } from 'zod'
import { nodeView } from '../../domain/model/node.ts'
import { Problem } from '../../domain/problem.ts'
import { findNode, listNodes } from '../../store/nodes.ts'
import { sendOne, sendPage } from '../answer.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { presentNode } from '../present.ts'
import { idParams, listOf, pageQuery, routeSchema } from '../schema.ts'

const tag = 'nodes'
const config = { scope: 'admin' } as const

/** /nodes */
export function nodeRoutes(app: Api, deps: RouteDeps): void {
  app.get(
    '/nodes',
    {
      config,
      schema: routeSchema({
        tag,
        summary: 'List nodes',
        query: z.strictObject(pageQuery),
        answers: { 200: listOf(nodeView) },
      }),
    },
    (request, reply) => sendPage(deps, reply, request.query, listNodes, presentNode),
  )

  app.get(
    '/nodes/:id',
    {
      config,
      schema: routeSchema({ tag, summary: 'Get a node', params: idParams('node'), answers: { 200: nodeView } }),
    },
    async (request, reply) => {
      const node = await deps.store.read((db) => findNode(db, request.params.id))
      if (node === undefined) throw new Problem('not-found', 'There is no such node.')
      return sendOne(reply, node, presentNode)
    },
  )
}
