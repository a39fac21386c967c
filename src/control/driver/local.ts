/** The embedded driver: one machine, durability from the operation rows. A run is level-triggered: it loads, and looks. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cause, Noun } from '../../domain/model/common.ts'
import type { OperationStep } from '../../domain/model/operation.ts'
import { healthOf } from '../../domain/plan/health.ts'
import type { NodeAgent } from '../../domain/ports/node-agent.ts'
import { findOperation, instancesWithOpenOperations, saveSteps } from '../../store/operations.ts'
import type { Store } from '../../store/store.ts'
import { type CertificateDeps, issueDue } from '../certificates.ts'
import { instanceSpec, type SpecDeps } from '../spec.ts'
import { type AttemptDeps, type AttemptResult, attempt, type Look, look } from './attempt.ts'
import { beginRun } from './begin.ts'
import type { Driver } from './driver.ts'
import { countAttempt, type FinishDeps, finishConverged, finishFailed } from './finish.ts'
import { type Loaded, loadInstance } from './load.ts'
import { makeInstanceQueue } from './queue.ts'
import { makeRepairs } from './repair.ts'
import { makeSettled } from './settled.ts'
import { makeStepLog } from './step-log.ts'

export type LocalDriverDeps = {
  store: Store
  spec: SpecDeps
  certificates: CertificateDeps
  finish: FinishDeps
  agent: (nodeId: string) => NodeAgent
  newId: (noun: Noun) => string
  now: () => string
  attempts: number
  attemptTimeoutMs: number
  concurrency: number
  failpoint: (name: string) => void
  log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
  /** Called whenever an instance was looked at: its rows and what was seen. */
  onLook: (loaded: Loaded, seen: Look) => void
  onGone: (loaded: Loaded) => void
}

export type LocalDriver = Driver & {
  /** Picks up whatever was open when the platform ended. */
  start(): Promise<void>
  /** Ends the runs under way where they stand; their operations go on at the next start. */
  stop(): Promise<void>
  /** Rounds that wait for their turn, and those that run. */
  queue(): { waiting: number; running: number }
}

export function makeLocalDriver(deps: LocalDriverDeps): LocalDriver {
  const ending = new AbortController()
  const settled = makeSettled((id) => deps.store.read((db) => findOperation(db, id)))
  const repairs = makeRepairs(deps, (id) => queue.request(id))
  const queue = makeInstanceQueue(run, deps.concurrency)
  /** Instances whose rows somebody changed since their run began. */
  const changed = new Set<string>()
  const attemptDeps: AttemptDeps = {
    agent: deps.agent,
    slot: queue.slot,
    failpoint: deps.failpoint,
    timeoutMs: deps.attemptTimeoutMs,
  }

  async function run(instanceId: string): Promise<void> {
    changed.delete(instanceId)
    try {
      const loaded = await deps.store.read((db) => loadInstance(db, instanceId))
      if (!loaded || ending.signal.aborted) return
      if (loaded.open.length > 0) await work(loaded)
      else await inspect(loaded)
    } catch (error) {
      if (ending.signal.aborted) return
      deps.log.error({ instanceId, err: error }, 'a run failed')
      repairs.later(instanceId)
    } finally {
      settled.changed(instanceId)
    }
  }

  /** Nothing is open: is what runs what was asked for? Begins a repair where it is not. */
  async function inspect(loaded: Loaded): Promise<void> {
    const { id } = loaded.instance
    if (loaded.servers.some((server) => !server.certificate)) return
    const spec = await instanceSpec(deps.spec, loaded)
    const seen = await queue.slot(() => look(attemptDeps, spec, ending.signal))
    deps.onLook(loaded, seen)
    const due = await issueDue(deps.certificates, loaded.servers, loaded.nodes)
    if (await repairs.begin(loaded, seen, due.length > 0)) queue.request(id)
  }

  async function work(loaded: Loaded): Promise<void> {
    const { id } = loaded.instance
    const beginStep = makeStepLog(deps.now, (step) => reportStep(loaded, step))
    for (let count = 1; ; count++) {
      await begin(loaded)
      settled.changed(id)
      const fresh = (await deps.store.read((db) => loadInstance(db, id))) ?? loaded
      const spec = await instanceSpec(deps.spec, fresh)
      const result = await attempt(
        attemptDeps,
        spec,
        () => changed.has(id),
        (step) => beginStep(step, count),
        ending.signal,
      )
      if (result.state === 'stale') return
      if (result.state === 'converged') return succeed(fresh, result.look)
      deps.log.warn({ instanceId: id, attempt: count, cause: result.cause }, 'an attempt failed')
      if (await otherPort(fresh, result.cause)) return queue.request(id)
      if (count >= deps.attempts) return giveUp(fresh, result)
      await deps.store.write((tx) => countAttempt(deps.finish, tx, fresh, result.cause))
      await delay(250 * 2 ** count, undefined, { signal: ending.signal })
      if (changed.has(id)) return
    }
  }

  /** Every open operation shows the step, after those of its earlier runs. */
  function reportStep(loaded: Loaded, step: OperationStep): void {
    deps.store
      .write(async (tx) => {
        for (const { id } of loaded.open)
          await saveSteps(tx, id, [{ ...step, seq: (loaded.stepCounts.get(id) ?? 0) + step.seq }])
      })
      .then(() => settled.changed(loaded.instance.id))
      .catch((error: unknown) => deps.log.warn({ err: error }, 'the steps of an operation could not be saved'))
  }

  async function begin(loaded: Loaded): Promise<void> {
    const issued = loaded.doomed ? [] : await issueDue(deps.certificates, loaded.servers, loaded.nodes)
    deps.failpoint('before:begin')
    await deps.store.write((tx) => beginRun(tx, loaded, issued, deps.now()))
    deps.failpoint('after:begin')
  }

  async function succeed(loaded: Loaded, seen: Look): Promise<void> {
    deps.failpoint('before:finish')
    await deps.store.write((tx) => finishConverged(deps.finish, tx, loaded, seen))
    deps.failpoint('after:finish')
    repairs.converged(loaded.instance.id)
    if (loaded.doomed) deps.onGone(loaded)
    else deps.onLook({ ...loaded, instance: { ...loaded.instance, health: healthOf(seen.spec, seen.observed) } }, seen)
    for (const operation of loaded.open)
      deps.log.info({ operationId: operation.id, instanceId: loaded.instance.id, kind: operation.kind }, 'succeeded')
  }

  /** A port that a stranger holds moves only before the instance was ever active. */
  async function otherPort(loaded: Loaded, cause: Cause): Promise<boolean> {
    if (cause.code !== 'port-taken' || loaded.instance.everActive) return false
    return repairs.movePort(loaded)
  }

  async function giveUp(loaded: Loaded, result: Extract<AttemptResult, { state: 'failed' }>): Promise<void> {
    const whole = await deps.store.write((tx) => finishFailed(deps.finish, tx, loaded, result.cause, result.users))
    if (result.look) deps.onLook(loaded, result.look)
    if (whole) repairs.gaveUp(loaded.instance.id)
    else queue.request(loaded.instance.id)
    deps.log.warn({ instanceId: loaded.instance.id, cause: result.cause }, 'given up')
  }

  const driver: LocalDriver = {
    wake(instanceId) {
      changed.add(instanceId)
      queue.request(instanceId)
    },
    check(instanceId, reason) {
      if (reason !== null) repairs.suspect(instanceId, reason)
      queue.request(instanceId)
    },
    settled: settled.wait,
    async start() {
      for (const id of await deps.store.read((db) => instancesWithOpenOperations(db))) queue.request(id)
    },
    async stop() {
      ending.abort()
      repairs.stop()
      settled.stop()
      await queue.drain()
    },
    queue: queue.size,
  }
  return driver
}
