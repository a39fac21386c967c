import { z } from 'zod'
import { Problem } from '../../domain/problem.ts'
import type { Api, RouteDeps } from '../deps.ts'
import { routeSchema } from '../schema.ts'

const tag = 'platform'
const open = { scope: 'public' } as const

/** Health, readiness, metrics and the API's own description. */
export function platformRoutes(app: Api, deps: RouteDeps): void {
  app.get(
    '/healthz',
    {
      config: open,
      schema: routeSchema({
        tag,
        summary: 'The process lives',
        open: true,
        answers: { 200: z.object({ status: z.literal('ok') }) },
      }),
    },
    (_request, reply) => reply.send({ status: 'ok' }),
  )

  app.get(
    '/readyz',
    {
      config: open,
      schema: routeSchema({
        tag,
        summary: 'The store answers and the driver has started',
        open: true,
        answers: { 200: z.object({ status: z.literal('ready'), version: z.string() }) },
      }),
    },
    async (_request, reply) => {
      const missing = deps.notReady()
      if (missing.length > 0) throw new Problem('unavailable', `Not ready yet: ${missing.join(', ')}.`)
      await deps.store.read(async () => undefined)
      return reply.send({ status: 'ready', version: deps.version })
    },
  )

  app.get(
    '/metrics',
    {
      config: { scope: 'metrics' },
      schema: routeSchema({
        tag,
        summary: 'Figures of the platform itself, as Prometheus text',
        answers: {
          200: { description: 'Prometheus text', content: { 'text/plain': { schema: z.string() } } },
        },
      }),
    },
    async (_request, reply) => {
      reply.type(deps.metrics.contentType)
      return reply.serializer((text: string) => text).send(await deps.metrics.render())
    },
  )

  let description: string | undefined
  app.get('/openapi.json', { config: open, schema: { hide: true } }, (_request, reply) => {
    description ??= JSON.stringify(app.swagger())
    return reply.type('application/json').send(description)
  })
}
