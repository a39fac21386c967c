/** Serial per instance, parallel across instances, bounded: the scheduling part of the local driver. */

export type InstanceQueue = {
  /** Asks for a run of this instance. While one is under way, one more follows it. */
  request(instanceId: string): void
  /** Runs `work` while fewer than the bound do. */
  slot<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when no run is under way. Requests made meanwhile are dropped. */
  drain(): Promise<void>
  queue(): { waiting: number; running: number }
}

/**
 * @param run one run of one instance; must not throw
 * @param concurrency how many slots there are
 */
export function makeInstanceQueue(run: (instanceId: string) => Promise<void>, concurrency: number): InstanceQueue {
  const lanes = new Map<string, { again: boolean; done: Promise<void> }>()
  const waiting: (() => void)[] = []
  let working = 0
  let closed = false

  async function lane(instanceId: string, state: { again: boolean }): Promise<void> {
    do {
      state.again = false
      await run(instanceId)
    } while (state.again && !closed)
    lanes.delete(instanceId)
  }

  return {
    request(instanceId) {
      if (closed) return
      const present = lanes.get(instanceId)
      if (present) {
        present.again = true
        return
      }
      const state = { again: false, done: Promise.resolve() }
      lanes.set(instanceId, state)
      state.done = lane(instanceId, state)
    },
    async slot(work) {
      if (working >= concurrency) await new Promise<void>((resolve) => waiting.push(resolve))
      else working += 1
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else working -= 1
      }
    },
    async drain() {
      closed = true
      await Promise.all([...lanes.values()].map((state) => state.done))
    },
    queue: () => ({ waiting: waiting.length, running: working }),
  }
}
