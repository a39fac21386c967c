/** Waiting for a server's unix socket. */
import { type FSWatcher, watch } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'

/** Between bind and listen a socket is there and refuses: microseconds, so tries follow each other quickly. */
const firstPauseMs = 1
const longestPauseMs = 250

/** Whether somebody accepts connections on a unix socket now. */
export function socketAccepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/**
 * Waits until a unix socket accepts. It is tried whenever its directory changes, and after a growing pause besides: some
 * file systems report no changes.
 * @throws the signal's reason
 */
export async function untilAccepts(path: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  let wake: (() => void) | undefined
  let changed = false
  const onChange = () => {
    changed = true
    wake?.()
  }
  const watcher = watchDirectory(path, onChange)
  signal.addEventListener('abort', onChange)
  try {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      changed = false
      if (await socketAccepts(path)) return
      signal.throwIfAborted()
      if (changed) continue
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      const timer = setTimeout(resolve, pauseMs)
      await promise
      clearTimeout(timer)
      signal.throwIfAborted()
    }
  } finally {
    signal.removeEventListener('abort', onChange)
    watcher?.close()
  }
}

function watchDirectory(path: string, onChange: () => void): FSWatcher | undefined {
  const name = basename(path)
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, changed) => {
      if (changed === null || changed === name) onChange()
    })
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return undefined
  }
}
