/** How long the platform waits before it acts on an instance by itself again: what keeps failing is tried less and less. */

/** Two ends within this time make a crash loop. */
const crashWindowMs = 60_000
const maxRestartPauseMs = 60_000
const maxRetryPauseMs = 600_000

export type Pauses = {
  /** Remembers why there is a doubt, until somebody takes it or all is well. */
  suspect(instanceId: string, reason: string): void
  takeReason(instanceId: string): string | null
  /** Whether it is too early; if so, a look follows when it is not. */
  pausing(instanceId: string): boolean
  /** A server is about to be started again: at once the first time, later each further time. */
  restarted(instanceId: string): void
  /** Nothing could be done: a look follows after a pause that grows. */
  failed(instanceId: string): void
  /** All is well. How often it was restarted lately stays known. */
  forget(instanceId: string): void
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

const fresh = (): State => ({
  reason: null,
  failures: 0,
  restarts: 0,
  lastRestartMs: Number.NEGATIVE_INFINITY,
  notBeforeMs: Number.NEGATIVE_INFINITY,
  timer: null,
})

/** A restart now would follow too soon on the one before; a pause that we made ourselves does not count as running. */
const loops = (state: State, now: number) => now - Math.max(state.lastRestartMs, state.notBeforeMs) < crashWindowMs

/**
 * @param look called when a pause is over
 * @param clock milliseconds that never go back: a machine's time that is corrected would make a pause last for days
 */
export function makePauses(look: (instanceId: string) => void, clock = () => performance.now()): Pauses {
  const states = new Map<string, State>()
  let stopped = false

  function of(id: string): State {
    const state = states.get(id) ?? fresh()
    states.set(id, state)
    return state
  }

  function lookWhenOver(id: string, state: State): void {
    if (state.timer || stopped) return
    const expired = () => {
      state.timer = null
      look(id)
    }
    state.timer = setTimeout(expired, Math.max(0, state.notBeforeMs - clock()))
    state.timer.unref()
  }

  return {
    suspect(id, reason) {
      of(id).reason = reason
    },
    takeReason(id) {
      const state = of(id)
      const { reason } = state
      state.reason = null
      return reason
    },
    pausing(id) {
      const state = states.get(id)
      if (!state || clock() >= state.notBeforeMs) return false
      lookWhenOver(id, state)
      return true
    },
    restarted(id) {
      const state = of(id)
      const now = clock()
      state.restarts = loops(state, now) ? state.restarts + 1 : 0
      state.lastRestartMs = now
      if (state.restarts > 0) state.notBeforeMs = now + Math.min(500 * 2 ** state.restarts, maxRestartPauseMs)
    },
    failed(id) {
      const state = of(id)
      state.failures += 1
      state.notBeforeMs = clock() + Math.min(1_000 * 2 ** state.failures, maxRetryPauseMs)
      lookWhenOver(id, state)
    },
    forget(id) {
      const state = states.get(id)
      if (!state) return
      state.reason = null
      state.failures = 0
      if (state.timer) clearTimeout(state.timer)
      state.timer = null
      if (!loops(state, clock())) states.delete(id)
    },
    stop() {
      stopped = true
      for (const state of states.values()) if (state.timer) clearTimeout(state.timer)
    },
  }
}
