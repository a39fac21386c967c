/** The embedded driver: one machine, durability from the operation rows. */
import type { NodeAgent } from '../../domain/ports/node-agent.ts'
import { findOperation, instancesWithOpenOperations } from '../../store/operations.ts'
import type { RepairDeps } from './repair.ts'
import type { Driver } from './driver.ts'
import { loadInstance } from './load.ts'
import { makeInstanceQueue } from './queue.ts'
import { makeRepairs } from './repair.ts'
import { inspect, type RunDeps, work } from './run.ts'
import { makeSettled } from './settled.ts'

export type LocalDriverDeps = RepairDeps &
  Pick<RunDeps, 'spec' | 'certificates' | 'attempts' | 'log' | 'onLook' | 'onGone'> & {
    agent: (nodeId: string) => NodeAgent
    attemptTimeoutMs: number
    concurrency: number
    failpoint: (name: string) => void
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
  /** Instances whose rows somebody changed since their run began. */
  const changed = new Set<string>()
  const settled = makeSettled((id) => deps.store.read((db) => findOperation(db, id)))
  const queue = makeInstanceQueue(run, deps.concurrency)
  const repairs = makeRepairs(deps, (id) => queue.request(id))
  const runDeps: RunDeps = {
    ...deps,
    repairs,
    attempt: {
      agent: deps.agent,
      slot: queue.slot,
      failpoint: deps.failpoint,
      timeoutMs: deps.attemptTimeoutMs,
    },
    changed: (id) => changed.has(id),
    again: (id) => queue.request(id),
    signal: ending.signal,
  }

  async function run(instanceId: string): Promise<void> {
    changed.delete(instanceId)
    try {
      const loaded = await deps.store.read((db) => loadInstance(db, instanceId))
      if (!loaded || ending.signal.aborted) return
      await (loaded.open.length > 0 ? work(runDeps, loaded) : inspect(runDeps, loaded))
    } catch (error) {
      if (ending.signal.aborted) return
      deps.log.error({ instanceId, err: error }, 'a run failed')
      repairs.later(instanceId)
    } finally {
      settled.changed(instanceId)
    }
  }

  return {
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
    queue: queue.queue,
  }
}
