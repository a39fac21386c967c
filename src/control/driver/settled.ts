/** Waiting for an operation's end: by event, with one read for each change of its instance. */
import type { Operation } from '../../domain/model/operation.ts'

export type Settled = {
  /** An operation of the instance may have ended. */
  changed(instanceId: string): void
  wait(operationId: string, timeoutMs: number, signal?: AbortSignal): Promise<void>
  stop(): void
}

export function makeSettled(find: (operationId: string) => Promise<Operation | undefined>): Settled {
  const waiters = new Map<string, Set<() => void>>()

  function nextChange(instanceId: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const set = waiters.get(instanceId) ?? new Set()
      waiters.set(instanceId, set)
      const done = () => {
        set.delete(done)
        if (set.size === 0 && waiters.get(instanceId) === set) waiters.delete(instanceId)
        signal.removeEventListener('abort', done)
        resolve()
      }
      set.add(done)
      signal.addEventListener('abort', done)
    })
  }

  const wake = (set: Set<() => void> | undefined) => {
    for (const done of [...(set ?? [])]) done()
  }

  const ended = new AbortController()
  let changes = 0
  return {
    changed(instanceId) {
      changes += 1
      wake(waiters.get(instanceId))
    },
    async wait(operationId, timeoutMs, signal) {
      const over = AbortSignal.any([AbortSignal.timeout(timeoutMs), ended.signal, ...(signal ? [signal] : [])])
      const before = changes
      const first = await find(operationId)
      if (!first || !isOpen(first)) return
      // Nothing changed since it was read: it need not be read again before the next change.
      if (changes === before && !over.aborted) await nextChange(first.instanceId, over)
      while (!over.aborted) {
        // Subscribed before the read, so that a change in between is not missed.
        const change = nextChange(first.instanceId, over)
        const present = await find(operationId)
        if (!present || !isOpen(present)) return
        await change
      }
    },
    stop: () => ended.abort(),
  }
}

const isOpen = ({ status }: Operation) => status === 'pending' || status === 'running'
