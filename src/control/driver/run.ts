/** One run of one instance: what is open is worked on until it is served or given up; where nothing is, drift is looked for. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cause } from '../../domain/model/common.ts'
import type { OperationStep } from '../../domain/model/operation.ts'
import { healthOf } from '../../domain/plan/health.ts'
import type { InstanceSpec } from '../../domain/plan/spec.ts'
import { saveSteps } from '../../store/operations.ts'
import type { Store, Tx } from '../../store/store.ts'
import { type CertificateDeps, dueServers, issueDue } from '../certificates.ts'
import { instanceSpec, type SpecDeps } from '../spec.ts'
import { type AttemptDeps, type AttemptResult, attempt, type BeginStep, failureOf, type Look, look } from './attempt.ts'
import { beginRun } from './begin.ts'
import { countAttempt, type FinishDeps, finishConverged, finishFailed } from './finish.ts'
import { type Loaded, loadInstance } from './load.ts'
import type { Repairs } from './repair.ts'
import { makeStepLog, type StepLog } from './step-log.ts'

/** Pause before attempt n + 1: this times 2 to the n. */
const firstPauseMs = 250

export type RunDeps = {
  store: Store
  spec: SpecDeps
  certificates: CertificateDeps
  finish: FinishDeps
  attempt: AttemptDeps
  repairs: Repairs
  attempts: number
  now: () => string
  log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
  /** Called whenever an instance was looked at: its rows and what was seen. */
  onLook: (loaded: Loaded, seen: Look) => void
  onGone: (loaded: Loaded) => void
  /** Whether somebody changed the instance's rows since the run began. */
  changed: (instanceId: string) => boolean
  /** Asks for a run after this one. */
  again: (instanceId: string) => void
  signal: AbortSignal
}

/** Nothing is open: is what runs what was asked for? Begins a repair where it is not. */
export async function inspect(deps: RunDeps, loaded: Loaded): Promise<void> {
  const { id } = loaded.instance
  if (loaded.servers.some((server) => !server.certificate)) return
  const spec = await instanceSpec(deps.spec, loaded)
  const seen = await deps.attempt.slot(() => look(deps.attempt, spec, deps.signal))
  deps.onLook(loaded, seen)
  const due = dueServers(deps.certificates, loaded.servers, loaded.nodes)
  if (await deps.repairs.begin(loaded, seen, due.length > 0)) deps.again(id)
}

/** Attempts at everything that is open, until it is served, given up, or asked for differently. */
export async function work(deps: RunDeps, loaded: Loaded): Promise<void> {
  const steps = makeStepLog(deps.now, (rows) => reportSteps(deps, loaded, rows))
  try {
    await attempts(deps, loaded, steps)
  } finally {
    reportSteps(deps, loaded, steps.take())
  }
}

async function attempts(deps: RunDeps, loaded: Loaded, steps: StepLog): Promise<void> {
  const { id } = loaded.instance
  /** A write that ends an attempt, and with it the steps that led there. */
  const write = <T>(end: (tx: Tx) => Promise<T>): Promise<T> =>
    deps.store.write(async (tx) => {
      await insertSteps(tx, loaded, steps.take())
      return end(tx)
    })
  let rows = loaded
  for (let count = 1; ; count++) {
    const fresh = await begin(deps, rows)
    if (!fresh || fresh.open.length === 0) return deps.again(id)
    // The next attempt goes on from here: a certificate that this one got is not issued again.
    rows = fresh
    const result = await attemptAt(deps, fresh, (step) => {
      deps.repairs.noticed(fresh, step)
      return steps.begin(step, count)
    })
    if (result.state === 'stale') return
    if (result.state === 'converged') return succeed(deps, write, fresh, result.look)
    deps.log.warn({ instanceId: id, attempt: count, cause: result.cause }, 'an attempt failed')
    if (await otherPort(deps, fresh, result.cause)) return deps.again(id)
    if (count >= deps.attempts) return giveUp(deps, write, fresh, result)
    await write((tx) => countAttempt(deps.finish, tx, fresh, result.cause))
    await delay(firstPauseMs * 2 ** count, undefined, { signal: deps.signal })
    if (deps.changed(id)) return
  }
}

/** One attempt at the rows; what keeps them from being read as a desired state is a failed one too. */
async function attemptAt(deps: RunDeps, rows: Loaded, begin: BeginStep): Promise<AttemptResult> {
  let spec: InstanceSpec
  try {
    spec = await instanceSpec(deps.spec, rows)
  } catch (error) {
    deps.signal.throwIfAborted()
    return { state: 'failed', ...failureOf(error, 'plan'), look: null }
  }
  return attempt(deps.attempt, spec, () => deps.changed(rows.instance.id), begin, deps.signal)
}

/** Every open operation shows the steps, after those of its earlier runs. */
async function insertSteps(tx: Tx, { open, stepCounts }: Loaded, steps: OperationStep[]): Promise<void> {
  for (const { id } of open) {
    const before = stepCounts.get(id) ?? 0
    await saveSteps(
      tx,
      id,
      steps.map((step) => ({ ...step, seq: before + step.seq })),
    )
  }
}

function reportSteps(deps: RunDeps, loaded: Loaded, steps: OperationStep[]): void {
  if (steps.length === 0) return
  deps.store
    .write((tx) => insertSteps(tx, loaded, steps))
    .catch((error: unknown) => deps.log.warn({ err: error }, 'the steps of an operation could not be saved'))
}

/** @returns the rows as they are once the run has begun; undefined where the instance is gone */
async function begin(deps: RunDeps, loaded: Loaded): Promise<Loaded | undefined> {
  const { id } = loaded.instance
  const issued = loaded.doomed ? [] : await issueDue(deps.certificates, loaded.servers, loaded.nodes)
  deps.attempt.failpoint('before:begin')
  const fresh = await deps.store.write(async (tx) => {
    // Read again: a delete or a cancel may have come since, and must not be written over.
    const now = await loadInstance(tx, id)
    if (!now) return undefined
    return beginRun(tx, now, issued, deps.now())
  })
  deps.attempt.failpoint('after:begin')
  return fresh
}

async function succeed(deps: RunDeps, write: Store['write'], loaded: Loaded, seen: Look): Promise<void> {
  deps.attempt.failpoint('before:finish')
  await write((tx) => finishConverged(deps.finish, tx, loaded, seen))
  deps.attempt.failpoint('after:finish')
  deps.repairs.converged(loaded.instance.id)
  const { health } = healthOf(seen.spec, seen.observed)
  if (loaded.doomed) deps.onGone(loaded)
  else deps.onLook({ ...loaded, instance: { ...loaded.instance, health } }, seen)
  for (const { id, kind } of loaded.open)
    deps.log.info({ operationId: id, instanceId: loaded.instance.id, kind }, 'succeeded')
}

/** A port that a stranger holds moves only before the instance was ever active. */
async function otherPort(deps: RunDeps, loaded: Loaded, cause: Cause): Promise<boolean> {
  if (cause.code !== 'port-taken' || loaded.instance.everActive) return false
  return deps.repairs.movePort(loaded)
}

async function giveUp(
  deps: RunDeps,
  write: Store['write'],
  loaded: Loaded,
  result: Extract<AttemptResult, { state: 'failed' }>,
): Promise<void> {
  const { id } = loaded.instance
  const whole = await write((tx) => finishFailed(deps.finish, tx, loaded, result.cause, result.users))
  if (result.look) deps.onLook(loaded, result.look)
  if (whole) deps.repairs.gaveUp(id)
  else deps.again(id)
  deps.log.warn({ instanceId: id, cause: result.cause }, 'given up')
}
