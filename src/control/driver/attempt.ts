/** One attempt at an instance's desired state: observe, plan, execute, and again until the plan is empty. */
import { setTimeout as delay } from 'node:timers/promises'
import { causes, isCauseCode } from '../../domain/cause.ts'
import type { Cause } from '../../domain/model/common.ts'
import { plan } from '../../domain/plan/plan.ts'
import type { InstanceObservation, InstanceSpec } from '../../domain/plan/spec.ts'
import type { Plan, Step } from '../../domain/plan/step.ts'
import type { NodeAgent } from '../../domain/ports/node-agent.ts'

/** More rounds than any change needs: past it, something undoes what we do. */
const maxRounds = 15
/** States that end by themselves however long they take: a large data set loads for minutes. */
const patient: ReadonlySet<string> = new Set(['loading', 'aof-rewrite'])

export type AttemptDeps = {
  agent: (nodeId: string) => NodeAgent
  /** Bounds how many instances are worked on at once; never held while waiting. */
  slot: <T>(work: () => Promise<T>) => Promise<T>
  failpoint: (name: string) => void
  timeoutMs: number
}

/** Reports a step's begin; what it returns reports its end, with why it failed. */
export type BeginStep = (step: Step) => (error: string | null) => void

export type Look = { spec: InstanceSpec; observed: InstanceObservation; next: Plan }

export type AttemptResult =
  | { state: 'converged'; look: Look }
  | { state: 'failed'; cause: Cause; users: Record<string, string>; look: Look | null }
  /** The rows changed meanwhile: load them again. */
  | { state: 'stale' }

/** Observes every server of the spec, side by side, and plans. */
export async function look(deps: AttemptDeps, spec: InstanceSpec, signal: AbortSignal): Promise<Look> {
  const seen = await Promise.all(
    spec.servers.map(async (server) => {
      const observing = deps.agent(server.nodeId).observe(server.handle, server.plan, signal)
      const observation = await inTime(observing, deps.timeoutMs)
      return [server.handle.id, observation] as const
    }),
  )
  const observed = { servers: Object.fromEntries(seen) }
  return { spec, observed, next: plan(spec, observed) }
}

/**
 * @param stale asked between rounds: whether the rows the spec was made from have changed
 */
export async function attempt(
  deps: AttemptDeps,
  spec: InstanceSpec,
  stale: () => boolean,
  begin: BeginStep,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const waitUntil = performance.now() + deps.timeoutMs
  let pauseMs = 10
  for (let round = 0; round < maxRounds; ) {
    signal.throwIfAborted()
    if (stale()) return { state: 'stale' }
    const turn = await deps.slot(() => oneRound(deps, spec, stale, begin, signal))
    if (turn.failure) return { state: 'failed', ...turn.failure, look: turn.look }
    const { next } = turn.look
    if (next.state === 'converged') return { state: 'converged', look: turn.look }
    if (next.state === 'steps') {
      round += 1
      pauseMs = 10
      continue
    }
    const expired = !patient.has(next.cause.code) && performance.now() > waitUntil
    if (!next.wait || expired) return { state: 'failed', cause: next.cause, users: {}, look: turn.look }
    await delay(pauseMs, undefined, { signal })
    pauseMs = Math.min(pauseMs * 2, 1_000)
  }
  const code = 'does-not-converge'
  const cause = {
    code,
    message: 'something keeps undoing what the platform does',
    remedy: causes[code].remedy,
  } as const
  return { state: 'failed', cause, users: {}, look: null }
}

type Failure = { cause: Cause; users: Record<string, string> }
type Turn = { look: Look; failure: null } | { look: Look | null; failure: Failure }

async function oneRound(
  deps: AttemptDeps,
  spec: InstanceSpec,
  stale: () => boolean,
  begin: BeginStep,
  signal: AbortSignal,
): Promise<Turn> {
  let now: Look
  try {
    now = await look(deps, spec, signal)
  } catch (error) {
    signal.throwIfAborted()
    // What cannot be observed is never acted on, and an operation that waits for it has an end all the same.
    return { look: null, failure: failureOf(error, 'observe') }
  }
  if (now.next.state !== 'steps') return { look: now, failure: null }
  for (const step of now.next.steps) {
    const end = begin(step)
    try {
      deps.failpoint(`before:${step.kind}`)
      await executeStep(deps, step, stale, signal)
      deps.failpoint(`after:${step.kind}`)
      end(null)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof StepLeft) {
        end(null)
        return { look: now, failure: null }
      }
      const failure = failureOf(error, step.kind)
      end(failure.cause.message)
      return { look: now, failure }
    }
  }
  return { look: now, failure: null }
}

/**
 * A step ends in time, or beats: every beat gives it its whole time again. A start that loads for minutes is left to
 * itself once something else is asked for: a delete does not wait for data that it is going to remove.
 */
async function executeStep(deps: AttemptDeps, step: Step, stale: () => boolean, signal: AbortSignal): Promise<void> {
  const early = new AbortController()
  const expire = () => early.abort(new StepTimeout(step))
  let timer = setTimeout(expire, step.timeoutMs)
  try {
    await deps.agent(step.nodeId).execute(step, AbortSignal.any([signal, early.signal]), () => {
      clearTimeout(timer)
      timer = setTimeout(expire, step.timeoutMs)
      if (step.kind === 'start' && stale()) early.abort(new StepLeft())
    })
    early.signal.throwIfAborted()
  } catch (error) {
    throw early.signal.aborted ? early.signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}

/** The step goes on without us; nobody waits for it any more. */
class StepLeft extends Error {}

class StepTimeout extends Error {
  readonly code = 'step-timeout'
  constructor({ kind, timeoutMs }: { kind: string; timeoutMs: number }) {
    super(`${kind} did not end within ${timeoutMs / 1000} s`)
  }
}

/** An observation that hangs (a dead network file system) must not hold the instance's lane for ever. */
function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new StepTimeout({ kind: 'observe', timeoutMs })), timeoutMs)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

/** What an agent throws: `code`, a message for people, and for set-users the reason of each user that failed. */
type StepFailure = { code?: unknown; message?: unknown; remedy?: unknown; users?: unknown }

/**
 * What failed as a cause. A code outside of the catalogue is a fault of ours or of the system: its message says what.
 * @param what was tried: `observe`, or a step's kind
 */
export function failureOf(error: unknown, what: string): Failure {
  const { code: given, message, remedy, users } = (error ?? {}) as StepFailure
  const code = typeof given === 'string' && isCauseCode(given) ? given : 'step-failed'
  return {
    cause: {
      code,
      message: `${what}: ${typeof message === 'string' ? message : 'failed without a reason'}`,
      remedy: typeof remedy === 'string' ? remedy : causes[code].remedy,
    },
    users: typeof users === 'object' && users !== null ? (users as Record<string, string>) : {},
  }
}
