import { Problem } from '../domain/problem.ts'
import { insertAuditRow } from '../store/audit.ts'
import { deleteAnswersBefore, findAnswer, insertAnswer } from '../store/idempotency.ts'
import type { Store, Tx } from '../store/store.ts'
import type { ControlDeps } from './deps.ts'
import type { Driver } from './driver/driver.ts'
import type { Context, Outcome, UseCase } from './use-case.ts'

/** How long an answer is kept for a replay: a day, longer than any client tries. */
const rememberedMs = 86_400_000

/** A POST that may be sent again. */
export type Idempotency = {
  /** As the caller chose it; unique per API key. */
  key: string
  /** A keyed digest of method, path and body: it tells two requests apart and nothing of what they say. */
  fingerprint: string
}

/** How a result is answered; without what is shown once. */
export type Presented = { status: number; headers: Record<string, string>; body: Record<string, unknown> | null }

export type Answer = Presented & {
  operationId: string | null
  /** The answer of an earlier request with the same idempotency key. */
  replayed: boolean
}

export type Mutate = <I, T>(
  context: Context,
  again: Idempotency | null,
  useCase: UseCase<I, T>,
  input: I,
  present: (result: T) => Presented,
) => Promise<Answer>

async function replay(tx: Tx, apiKeyId: string, again: Idempotency): Promise<Answer | undefined> {
  const stored = await findAnswer(tx, apiKeyId, again.key)
  if (stored === undefined) return undefined
  if (stored.fingerprint !== again.fingerprint) {
    throw new Problem('idempotency-conflict', 'This Idempotency-Key came with another path or body before.')
  }
  const { status, headers, body } = stored
  return { status, headers, body: JSON.parse(body), operationId: null, replayed: true }
}

/** What is kept for a replay: the same answer, but a secret is never shown twice. */
const withoutSecrets = (presented: Presented, outcome: Outcome<unknown>): Presented =>
  outcome.once === undefined ? presented : { ...presented, body: { ...presented.body, secret_already_shown: true } }

/**
 * Runs a use case as one write: the idempotency look-up, the change, its audit row and the answer kept for a replay
 * stand or fall together. The driver is woken only once all of it is on disk; killed before that, its start finds the
 * open operation.
 * @throws Problem as the use case does; then nothing was written
 */
export function makeMutate(deps: Pick<ControlDeps, 'newId'>, store: Store, driver: Pick<Driver, 'wake'>): Mutate {
  return async (context, again, useCase, input, present) => {
    const { actor, now, requestId } = context
    const done = await store.write(async (tx) => {
      if (again !== null && actor.apiKeyId !== null) {
        const earlier = await replay(tx, actor.apiKeyId, again)
        if (earlier !== undefined) return { answer: earlier, wake: undefined }
      }
      const outcome = await useCase(tx, context, input)
      const operationId = outcome.operationId ?? null
      const presented = present(outcome.result)
      if (operationId !== null) presented.headers['location'] = `/operations/${operationId}`
      await insertAuditRow(tx, {
        id: deps.newId('audit'),
        at: now,
        actor: actor.name,
        action: outcome.audit.action,
        target: outcome.audit.target,
        outcome: operationId === null ? 'done' : 'accepted',
        requestId,
        detail: outcome.audit.detail ?? null,
      })
      if (again !== null && actor.apiKeyId !== null) {
        const kept = withoutSecrets(presented, outcome)
        await deleteAnswersBefore(tx, new Date(Date.parse(now) - rememberedMs).toISOString())
        await insertAnswer(tx, {
          apiKeyId: actor.apiKeyId,
          ...again,
          ...kept,
          body: JSON.stringify(kept.body),
          createdAt: now,
        })
      }
      const answer = { ...presented, body: outcome.once ? { ...presented.body, ...outcome.once } : presented.body }
      return { answer: { ...answer, operationId, replayed: false }, wake: outcome.wake }
    })
    if (done.wake !== undefined) driver.wake(done.wake)
    return done.answer
  }
}
