import type { FastifyRequest } from 'fastify'
import type { Noun } from '../domain/model/common.ts'
import { type Problem, problems } from '../domain/problem.ts'
import { insertAuditRow } from '../store/audit.ts'
import type { Store } from '../store/store.ts'
import { shownPath } from './shown-path.ts'

/** Answers that say "you may not" or "not now" to a change; what was no request at all (400, 413, 415, 422) is none. */
const told: ReadonlySet<number> = new Set([401, 403, 404, 409, 412])

export type RefusalDeps = {
  store: Store
  newId: (noun: Noun) => string
  now: () => string
  perMinute: number
  dropped: () => void
}

/**
 * Writes an audit row for each refused change, at most `perMinute` over all callers: a flood fills no disk.
 */
export function makeRefusals(deps: RefusalDeps): (request: FastifyRequest, problem: Problem) => Promise<void> {
  let minute = 0
  let count = 0
  return async (request, problem) => {
    const { method, url: pattern } = request.routeOptions
    if (pattern === undefined || method === 'GET' || method === 'HEAD') return
    if (!told.has(problems[problem.code].status)) return
    const at = deps.now()
    const present = Math.floor(Date.parse(at) / 60_000)
    if (present !== minute) [minute, count] = [present, 0]
    count += 1
    if (count > deps.perMinute) return deps.dropped()
    await deps.store.write((tx) =>
      insertAuditRow(tx, {
        id: deps.newId('audit'),
        at,
        actor: request.actor?.name ?? 'unauthenticated',
        action: `${request.method} ${pattern}`,
        target: shownPath(request),
        outcome: 'refused',
        requestId: request.id,
        detail: { code: problem.code, address: request.ip },
      }),
    )
  }
}
