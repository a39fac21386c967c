/** Waiting for a server's unix socket. */
import { type FSWatcher, watch } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'

/** Between bind and listen a socket is there and refuses: microseconds, so tries follow each other quickly. */
const firstPauseMs = 1
const longestPauseMs = 250

/**
 * Whether a server answers on a unix socket. Accepting is not enough: valkey listens here before it tries its port, and
 * exits where that is taken. Its event loop turns only after both; any reply will do, `-NOAUTH` it is.
 */
function answers(path: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const end = (answer: boolean) => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(answer)
    }
    const onAbort = () => end(false)
    signal.addEventListener('abort', onAbort)
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', () => end(true))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })
}

/**
 * Waits until a server answers on a unix socket. It is tried whenever its directory changes, and after a growing pause besides: some
 * file systems report no changes.
 * @throws the signal's reason
 */
export async function untilAnswers(path: string, signal: AbortSignal): Promise<void> {
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
      if (await answers(path, signal)) return
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
