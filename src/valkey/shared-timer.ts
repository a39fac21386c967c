/** One timer for many: `at` runs a task at a time of `performance.now()`, and the returned function calls it off. */
export type SharedTimer = { at(dueMs: number, task: () => void): () => void }

/**
 * A single setTimeout, armed for whatever is due first: hundreds of watches cost one timer, and none when idle.
 * @param coarseMs tasks due within this time of each other run in one wake-up, each up to that much late
 */
export function makeSharedTimer(coarseMs: number): SharedTimer {
  const tasks = new Map<() => void, number>()
  let timer: NodeJS.Timeout | undefined
  let armedFor = Number.POSITIVE_INFINITY

  const arm = (dueMs: number): void => {
    if (dueMs >= armedFor) return
    clearTimeout(timer)
    armedFor = dueMs
    timer = setTimeout(fire, Math.max(0, dueMs - performance.now()) + coarseMs)
  }

  const fire = (): void => {
    armedFor = Number.POSITIVE_INFINITY
    const nowMs = performance.now()
    const due = [...tasks].filter(([, dueMs]) => dueMs <= nowMs)
    for (const [task] of due) {
      // One task may call off another that is due now.
      if (tasks.delete(task)) task()
    }
    if (tasks.size > 0) arm(Math.min(...tasks.values()))
  }

  return {
    at: (dueMs, task) => {
      const entry = (): void => task()
      tasks.set(entry, dueMs)
      arm(dueMs)
      return () => {
        tasks.delete(entry)
        if (tasks.size > 0) return
        clearTimeout(timer)
        armedFor = Number.POSITIVE_INFINITY
      }
    },
  }
}
