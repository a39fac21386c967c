import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Actor, Context } from '../control/use-case.ts'
import type { Scope } from '../domain/model/common.ts'
import { Problem } from '../domain/problem.ts'
import { findApiKeyByHash } from '../store/api-keys.ts'
import { sha256Hex } from '../vault/random.ts'
import type { ApiDeps } from './deps.ts'
import { parseIfMatch } from './etag.ts'

/** One route and what it asks of a caller. */
export type Endpoint = { method: string; url: string; scope: Scope | 'public' }

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route, once the app is ready. */
    endpoints: Endpoint[]
  }
  interface FastifyRequest {
    /** Who asks; null on public routes and unknown paths. */
    actor: Actor | null
    /** The bearer token of an authenticated request, for keyed digests only. */
    bearer: string | null
  }
}

const minuteMs = 60_000

/** The bearer token, undefined where there is none that could be one. */
function bearerOf(request: FastifyRequest): string | undefined {
  const match = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(request.headers.authorization ?? '')
  return match?.[1]
}

/**
 * The key behind a request. Looked up by its SHA-256: with 256 random bits, what the time of an index look-up tells of
 * a digest helps nobody to find a key.
 */
async function authenticate(deps: ApiDeps, request: FastifyRequest): Promise<Actor> {
  const bearer = bearerOf(request)
  if (bearer === undefined) throw new Problem('unauthenticated', 'The request carries no bearer token.')
  const key = await deps.store.read((db) => findApiKeyByHash(db, sha256Hex(bearer)))
  if (key === undefined) throw new Problem('unauthenticated', 'There is no such API key.')
  if (key.expiresAt !== null && key.expiresAt <= deps.now()) {
    throw new Problem('unauthenticated', 'The API key has expired.')
  }
  request.bearer = bearer
  return { name: `key:${key.name}`, apiKeyId: key.id, tenantId: key.tenantId, scopes: key.scopes }
}

/** @throws Problem where the actor may not use a route of this scope */
function authorize(actor: Actor, scope: string): void {
  // Metrics count over all tenants: a tenant's key has no business there, whatever its scopes.
  if (scope === 'metrics' && actor.tenantId !== null) throw new Problem('forbidden', 'It needs a key of the platform.')
  if (actor.scopes.includes('admin') || (actor.scopes as readonly string[]).includes(scope)) return
  throw new Problem('forbidden', `It needs a key with the scope ${scope}.`)
}

/**
 * One hook authenticates and authorizes every route by the scope it carries, then counts it against the caller's rate.
 * A route without a scope is a bug, found when the app is built.
 */
export function installAuthentication(app: FastifyInstance, deps: ApiDeps): void {
  app.decorateRequest('actor', null)
  app.decorateRequest('bearer', null)
  const endpoints: Endpoint[] = []
  app.decorate('endpoints', endpoints)
  app.addHook('onRoute', (route) => {
    const scope = route.config?.scope
    if (scope === undefined) throw new Error(`${route.method} ${route.url} has no scope`)
    for (const method of [route.method].flat()) endpoints.push({ method, url: route.url, scope })
  })

  app.register(rateLimit, {
    max: deps.limits.requestsPerMinute,
    timeWindow: minuteMs,
    cache: 10_000,
    keyGenerator: (request) => request.actor?.apiKeyId ?? request.ip,
    errorResponseBuilder: (_request, { ttl }) =>
      new Problem('too-many-requests', `Try again in ${Math.ceil(ttl / 1000)} s.`),
  })
  let failures: ReturnType<FastifyInstance['createRateLimit']> | undefined

  app.addHook('onRequest', async (request, reply) => {
    const scope = request.routeOptions.config?.scope
    // Unknown paths have no scope and no handler but the one that says so.
    if (scope === undefined || scope === 'public') return
    try {
      request.actor = await authenticate(deps, request)
    } catch (error) {
      failures ??= app.createRateLimit({
        max: deps.limits.failedAuthPerMinute ?? Math.ceil(deps.limits.requestsPerMinute / 100),
        timeWindow: minuteMs,
        keyGenerator: (each) => `unauthenticated ${each.ip}`,
      })
      const limit = await failures(request)
      if (limit.isAllowed || !limit.isExceeded) throw error
      reply.header('retry-after', String(limit.ttlInSeconds))
      throw new Problem(
        'too-many-requests',
        `Too many requests without a valid key; try again in ${limit.ttlInSeconds} s.`,
      )
    }
    authorize(request.actor, scope)
  })
}

/** The actor of an authenticated route. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new Error('a route that needs an actor is public')
  return request.actor
}

/** What a use case knows of the request. */
export function contextOf(deps: ApiDeps, request: FastifyRequest): Context {
  return {
    actor: actorOf(request),
    requestId: request.id,
    now: deps.now(),
    ifMatch: parseIfMatch(request.headers['if-match']),
  }
}
