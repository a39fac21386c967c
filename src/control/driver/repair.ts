/** When the platform acts by itself: which doubts become an operation, and how often a server that keeps dying is started. */
import type { Noun } from '../../domain/model/common.ts'
import type { Instance } from '../../domain/model/instance.ts'
import type { Plan } from '../../domain/plan/step.ts'
import { updateInstance } from '../../store/instances.ts'
import { allocatePort, blockPort } from '../../store/ports.ts'
import { updateServer } from '../../store/servers.ts'
import type { Store } from '../../store/store.ts'
import { openOperation } from '../open-operation.ts'
import { platformContext } from '../platform-context.ts'
import type { Look } from './attempt.ts'
import { type FinishDeps, sentence } from './finish.ts'
import type { Loaded } from './load.ts'

/** Two ends within this time make a crash loop. */
const crashWindowMs = 60_000
const maxRestartPauseMs = 60_000
const maxRetryPauseMs = 600_000

export type RepairDeps = {
  store: Store
  finish: FinishDeps
  newId: (noun: Noun) => string
  now: () => string
}

export type Repairs = {
  /** Remembers why there is a doubt, for the note of a repair that may follow. */
  suspect(instanceId: string, reason: string): void
  /** Writes the operation of a repair where one is due. @returns whether it did */
  begin(loaded: Loaded, seen: Look, certificateDue: boolean): Promise<boolean>
  converged(instanceId: string): void
  gaveUp(instanceId: string): void
  /** Looks again after a pause that grows. */
  later(instanceId: string): void
  /** Gives a server that was never active another port. @returns false where the node has none */
  movePort(loaded: Loaded): Promise<boolean>
  stop(): void
}

type State = {
  reason: string | null
  failures: number
  restarts: number
  lastRestartMs: number
  notBeforeMs: number
  timer: NodeJS.Timeout | null
}

export function makeRepairs(deps: RepairDeps, look: (instanceId: string) => void): Repairs {
  const states = new Map<string, State>()
  let stopped = false

  function stateOf(id: string): State {
    const present = states.get(id)
    if (present) return present
    const fresh: State = { reason: null, failures: 0, restarts: 0, lastRestartMs: 0, notBeforeMs: 0, timer: null }
    states.set(id, fresh)
    return fresh
  }

  function lookAt(id: string, atMs: number): void {
    const state = stateOf(id)
    if (state.timer || stopped) return
    state.timer = setTimeout(
      () => {
        state.timer = null
        look(id)
      },
      Math.max(0, atMs - Date.now()),
    )
    state.timer.unref()
  }

  function later(id: string): void {
    const state = stateOf(id)
    state.failures += 1
    state.notBeforeMs = Date.now() + Math.min(1_000 * 2 ** state.failures, maxRetryPauseMs)
    lookAt(id, state.notBeforeMs)
  }

  /** A first end is repaired at once; a server that keeps ending waits longer each time. */
  function countRestart(state: State): void {
    const now = Date.now()
    state.restarts = now - state.lastRestartMs < crashWindowMs ? state.restarts + 1 : 0
    state.lastRestartMs = now
    if (state.restarts > 0) state.notBeforeMs = now + Math.min(500 * 2 ** state.restarts, maxRestartPauseMs)
  }

  return {
    suspect: (id, reason) => {
      stateOf(id).reason = reason
    },
    async begin(loaded, seen, certificateDue) {
      const { instance } = loaded
      const { next } = seen
      if (next.state === 'converged' && !certificateDue && isWell(instance)) {
        const state = states.get(instance.id)
        if (state) state.reason = null
        return false
      }
      // A person decides about what never worked, and about a delete that could not be finished.
      if (loaded.doomed || (!instance.everActive && instance.status === 'failed')) return false
      if (next.state === 'blocked' && (next.wait || sentence(next.cause) === instance.statusMessage)) {
        later(instance.id)
        return false
      }
      const state = stateOf(instance.id)
      if (Date.now() < state.notBeforeMs) {
        lookAt(instance.id, state.notBeforeMs)
        return false
      }
      if (next.state === 'steps' && next.steps.some((step) => step.kind === 'start')) countRestart(state)
      const found = certificateDue && next.state === 'converged' ? 'a certificate nears its end' : describe(next)
      await insertRepair(deps, loaded, state.reason ? `${state.reason}; ${found}` : found)
      state.reason = null
      return true
    },
    converged(id) {
      const state = states.get(id)
      if (!state) return
      state.failures = 0
      if (state.timer) clearTimeout(state.timer)
      state.timer = null
    },
    gaveUp: later,
    later,
    movePort: (loaded) => movePort(deps, loaded),
    stop() {
      stopped = true
      for (const state of states.values()) if (state.timer) clearTimeout(state.timer)
    },
  }
}

/** Nothing to record: its rows already say what was seen. */
const isWell = (instance: Instance) =>
  instance.status === 'active' && instance.observedGeneration === instance.generation

function describe(next: Plan): string {
  if (next.state === 'blocked') return next.cause.message
  if (next.state === 'converged') return 'it serves again what was asked for'
  return next.steps
    .map((step) => {
      switch (step.kind) {
        case 'write-files':
          return `files differ: ${step.parts.join(', ')}`
        case 'start':
          return 'no process runs'
        case 'configure':
          return `settings differ: ${step.directives.map((d) => d.name).join(', ')}`
        case 'set-users': {
          const names = [...step.users.map((user) => user.name), ...step.remove]
          return names.length > 0 ? `users differ: ${names.join(', ')}` : 'the aclfile differs'
        }
        case 'stop':
          return `it runs, but ${step.reason}`
        case 'remove':
          return 'something of it is left'
      }
    })
    .join('; ')
}

async function insertRepair(deps: RepairDeps, loaded: Loaded, note: string): Promise<void> {
  const { instance } = loaded
  const asked = { kind: 'repair', targetGeneration: instance.generation, note } as const
  await deps.store.write((tx) => openOperation(deps, tx, platformContext(deps.now()), instance, asked))
}

function movePort(deps: RepairDeps, loaded: Loaded): Promise<boolean> {
  const now = deps.now()
  const until = new Date(Date.parse(now) + deps.finish.portCooldownMs).toISOString()
  const [server] = loaded.servers
  if (!server) return Promise.resolve(false)
  return deps.store.write(async (tx) => {
    const port = await allocatePort(tx, server.nodeId, server.id, now)
    if (port === undefined) return false
    await blockPort(tx, server.nodeId, server.port, until)
    await updateServer(tx, server.id, { port })
    if (server.role === 'primary') await updateInstance(tx, loaded.instance.id, { port, updatedAt: now })
    return true
  })
}
