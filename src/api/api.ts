import { randomUUIDv7 } from 'node:crypto'
import fastify, { type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify'
import { serializerCompiler } from 'fastify-type-provider-zod'
import { makeMutate } from '../control/mutate.ts'
import { countInstances, countOperations } from '../store/counts.ts'
import { makeChange } from './answer.ts'
import { installAuthentication } from './authenticate.ts'
import type { Api, ApiDeps, RouteDeps } from './deps.ts'
import { docsRoutes } from './docs-page.ts'
import { answerMalformed, installErrors, secure, sendProblem, toProblem } from './errors.ts'
import { makeMetrics } from './metrics.ts'
import { installOpenApi } from './openapi.ts'
import { makeRefusals } from './refusals.ts'
import { apiKeyRoutes } from './routes/api-keys.ts'
import { effectiveRoute } from './routes/effective.ts'
import { instanceRoutes } from './routes/instances.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { operationRoutes } from './routes/operations.ts'
import { platformRoutes } from './routes/platform.ts'
import { sessionRoute } from './routes/sessions.ts'
import { shardRoutes } from './routes/shards.ts'
import { tenantRoutes } from './routes/tenants.ts'
import { userRoutes } from './routes/users.ts'
import { shownPath } from './shown-path.ts'
import { installJsonParser, zodValidator } from './validator.ts'

const bodyLimitBytes = 64 * 1024
const requestTimeoutMs = 30_000
const newRequestId = () => `req_${randomUUIDv7().replaceAll('-', '')}`

function makeServer(deps: ApiDeps): FastifyInstance {
  const options: FastifyHttpOptions<never> = {
    loggerInstance: deps.log as never,
    // Its lines hold the URL as it came; ours are in installHooks.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    genReqId: newRequestId,
    requestTimeout: requestTimeoutMs,
    // Long waits and keep-alive connections must not keep a closing platform open.
    forceCloseConnections: true,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    clientErrorHandler: (_error, socket) => answerMalformed(socket, newRequestId()),
    // No hook sees these.
    frameworkErrors: (error, request, reply) => {
      secure(request as never, reply as never)
      sendProblem(request as never, reply as never, toProblem(error))
    },
  }
  const https = deps.https === null ? {} : { https: { ...deps.https, minVersion: 'TLSv1.2' } }
  return fastify({ ...options, ...https } as never) as unknown as FastifyInstance
}

/** Headers of every answer, its figure in the metrics, its line in the log. */
function installHooks(app: FastifyInstance, deps: RouteDeps): void {
  app.addHook('onSend', async (request, reply) => secure(request, reply))
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode, elapsedTime } = reply
    const route = request.routeOptions.url ?? 'none'
    deps.metrics.answered(route, request.method, statusCode, elapsedTime / 1000)
    const said = { method: request.method, path: shownPath(request), status: statusCode, ms: Math.round(elapsedTime) }
    request.log.info({ ...said, actor: request.actor?.name }, 'answered')
  })
}

function installRoutes(app: Api, deps: RouteDeps): void {
  const change = makeChange(deps, makeMutate(deps.control, deps.store, deps.driver))
  instanceRoutes(app, deps, change)
  userRoutes(app, deps, change)
  effectiveRoute(app, deps)
  sessionRoute(app, deps, change)
  operationRoutes(app, deps, change)
  tenantRoutes(app, deps, change)
  shardRoutes(app, deps, change)
  nodeRoutes(app, deps)
  apiKeyRoutes(app, deps, change)
  platformRoutes(app, deps)
}

/** The HTTP API. Not listening yet; `close` ends long waits first. */
export function makeApi(deps: ApiDeps): FastifyInstance {
  const app = makeServer(deps)
  const metrics = makeMetrics(() =>
    deps.store.read(async (db) => ({
      operations: await countOperations(db),
      instances: await countInstances(db),
      driver: deps.driver.queue(),
    })),
  )
  const closing = new AbortController()
  const routeDeps: RouteDeps = { ...deps, metrics, closing: closing.signal }
  app.addHook('preClose', async () => closing.abort())
  app.addHook('onClose', async () => metrics.close())

  installJsonParser(app)
  app.setValidatorCompiler(zodValidator)
  app.setSerializerCompiler(serializerCompiler as never)
  const refusals = makeRefusals({
    store: deps.store,
    newId: deps.control.newId,
    now: deps.now,
    perMinute: deps.limits.auditedRefusalsPerMinute,
    dropped: metrics.refusalDropped,
  })
  installErrors(app, refusals)
  installOpenApi(app, deps.version)
  installAuthentication(app, deps)
  installHooks(app, routeDeps)
  // After the plugins, so that their hooks see every route.
  app.register(async (scoped) => {
    docsRoutes(scoped as unknown as FastifyInstance)
    installRoutes(scoped.withTypeProvider() as unknown as Api, routeDeps)
  })
  return app
}
