/** How routes answer: one resource with its ETag, a page of them, or the outcome of a change. */
import { createHmac } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Idempotency, Mutate, Presented } from '../control/mutate.ts'
import type { UseCase } from '../control/use-case.ts'
import { Problem } from '../domain/problem.ts'
import { BadCursor, type Listed, type Page } from '../store/page.ts'
import type { Tx } from '../store/store.ts'
import { contextOf } from './authenticate.ts'
import type { ApiDeps } from './deps.ts'
import { etagOf, parseIdempotencyKey } from './etag.ts'
import { presentPage } from './present.ts'
import { defaultLimit } from './schema.ts'

/** One resource. */
export function sendOne<T extends { revision: number }>(
  reply: FastifyReply,
  row: T,
  present: (row: T) => object,
): FastifyReply {
  return reply.header('etag', etagOf(row.revision)).send(present(row))
}

/** A page. @throws Problem where the cursor is not one of this list */
export async function sendPage<T>(
  deps: ApiDeps,
  reply: FastifyReply,
  query: { limit?: number | undefined; cursor?: string | undefined },
  list: (db: Tx, page: Page) => Promise<Listed<T>>,
  present: (row: T) => object,
): Promise<FastifyReply> {
  const page = { limit: query.limit ?? defaultLimit, cursor: query.cursor ?? null }
  try {
    return reply.send(presentPage(await deps.store.read((db) => list(db, page)), present))
  } catch (error) {
    if (!(error instanceof BadCursor)) throw error
    const errors = [{ pointer: '?cursor', code: 'bad_cursor', detail: error.message }]
    throw new Problem('invalid', `?cursor: ${error.message}`, { errors })
  }
}

/**
 * What makes two requests with one idempotency key the same. Keyed by the caller's own token, which is nowhere at
 * rest: bodies hold passwords, and a plain digest could be guessed against.
 */
function idempotencyOf(request: FastifyRequest): Idempotency | null {
  const key = parseIdempotencyKey(request.headers['idempotency-key'])
  if (key === null || request.method !== 'POST' || request.bearer === null) return null
  const text = JSON.stringify([request.method, request.url, request.body ?? null])
  return { key, fingerprint: createHmac('sha256', request.bearer).update(text).digest('hex') }
}

export type Change = <I, T>(
  request: FastifyRequest,
  reply: FastifyReply,
  change: { useCase: UseCase<I, T>; input: I; status: number; present: (result: T) => object | null },
) => Promise<{ operationId: string | null; replayed: boolean; send: () => FastifyReply }>

const hasRevision = (result: unknown): result is { revision: number } =>
  typeof result === 'object' && result !== null && 'revision' in result && typeof result.revision === 'number'

/** Runs a change for a request; the caller sends the answer, at once or after it has waited for something. */
export function makeChange(deps: ApiDeps, mutate: Mutate): Change {
  return async (request, reply, { useCase, input, status, present }) => {
    const presented = <T>(result: T, show: (result: T) => object | null): Presented => ({
      status,
      headers: hasRevision(result) ? { etag: etagOf(result.revision) } : {},
      body: show(result) as Presented['body'],
    })
    const answer = await mutate(contextOf(deps, request), idempotencyOf(request), useCase, input, (result) =>
      presented(result, present),
    )
    const { operationId, replayed } = answer
    return {
      operationId,
      replayed,
      send: () => {
        reply.code(answer.status).headers(answer.headers)
        return answer.body === null ? reply.send() : reply.send(answer.body)
      },
    }
  }
}
