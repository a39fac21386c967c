import { createConnection, type Socket } from 'node:net'
import { makeSharedTimer, type SharedTimer } from './shared-timer.ts'

export type ServerWatch = {
  /** The server's unix socket. */
  socketPath: string
  /** Time between two questions. Longer than the server's `timeout` is no harm: it hangs up on us, and we call again. */
  intervalMs: number
  /** Time for an answer, and for a socket to appear where there is none yet. */
  deadlineMs: number
  /**
   * Once, and last: nobody listens on the socket any more (`closed`), or never did within the deadline (`absent`).
   * Whether that is the end of the process is for the caller to observe. A server that somebody else starts on the same
   * socket in the very moment the old one ends is taken for the old one.
   */
  onDown(reason: 'closed' | 'absent'): void
  /** The event loop of the server has not answered for `deadlineMs`: stopped, swapping, or in a long command. */
  onUnresponsive(): void
  /** It answers again. */
  onResponsive(): void
}

export type DeathWatch = {
  /** Watches one server until `close`, which calls nothing back. */
  watch(server: ServerWatch): { close(): void }
}

const PING = 'PING\r\n'
/** Wake-ups of all watches are gathered to this. */
const COARSE_MS = 20

/**
 * Watches over many servers, at the price of an idle unix socket each: one shared timer, one shared read buffer.
 * The end of a connection is the event that the server is gone; no polling. An inline PING is sent without
 * authentication: any line of reply, `-NOAUTH` or `-LOADING` among them, proves that the server's event loop turns.
 */
export function makeDeathWatch(): DeathWatch {
  const timer = makeSharedTimer(COARSE_MS)
  // What is read is never looked at, so all sockets may share the buffer.
  const buffer = Buffer.allocUnsafe(512)
  return { watch: (server) => watchServer(server, timer, buffer) }
}

type Watch = {
  server: ServerWatch
  timer: SharedTimer
  buffer: Buffer
  beganMs: number
  socket: Socket | undefined
  over: boolean
  /** Somebody has listened on the socket. */
  seen: boolean
  /** The present connection has said something. */
  answered: boolean
  /** An answer is owed, by this connection or one before it. */
  owed: boolean
  unresponsive: boolean
  /** Wait before the next connect: none after a connection that lasted, growing while they do not. */
  retryMs: number
  cancelNext: () => void
  cancelDeadline: () => void
}

function watchServer(server: ServerWatch, timer: SharedTimer, buffer: Buffer): { close(): void } {
  const watch: Watch = {
    server,
    timer,
    buffer,
    beganMs: performance.now(),
    socket: undefined,
    over: false,
    seen: false,
    answered: false,
    owed: false,
    unresponsive: false,
    retryMs: 0,
    cancelNext: () => undefined,
    cancelDeadline: () => undefined,
  }
  open(watch)
  return { close: () => finish(watch) }
}

function open(watch: Watch): void {
  const onread = {
    buffer: watch.buffer,
    callback: () => {
      onReply(watch)
      return true
    },
  }
  let code: string | undefined
  const socket = createConnection({ path: watch.server.socketPath, onread })
  watch.socket = socket
  watch.answered = false
  socket.once('connect', () => {
    watch.seen = true
    socket.write(PING)
    owe(watch)
    next(watch, watch.server.intervalMs, () => tick(watch))
  })
  socket.once('error', (error: NodeJS.ErrnoException) => {
    code = error.code
  })
  socket.once('close', () => {
    if (!watch.over) onClosed(watch, code)
  })
}

function tick(watch: Watch): void {
  if (watch.answered) watch.retryMs = 0
  if (!watch.owed) {
    watch.socket?.write(PING)
    owe(watch)
  }
  next(watch, watch.server.intervalMs, () => tick(watch))
}

function onReply(watch: Watch): void {
  watch.answered = true
  watch.owed = false
  watch.cancelDeadline()
  if (!watch.unresponsive || watch.over) return
  watch.unresponsive = false
  watch.server.onResponsive()
}

/** Starts the clock of an answer, unless it runs. */
function owe(watch: Watch): void {
  if (watch.owed) return
  watch.owed = true
  watch.cancelDeadline = watch.timer.at(performance.now() + watch.server.deadlineMs, () => {
    // After a pause of our own the answer may lie unread: setImmediate comes after the sockets' turn.
    setImmediate(() => {
      if (watch.over || watch.unresponsive || !watch.owed) return
      watch.unresponsive = true
      watch.server.onUnresponsive()
    })
  })
}

/**
 * The connection ended, or there was none to be had. A server that hung up on us (idle timeout, CLIENT KILL, too many
 * clients) still listens; one that is gone does not, which connecting again tells at once.
 */
function onClosed(watch: Watch, code: string | undefined): void {
  const { server, retryMs } = watch
  watch.socket = undefined
  watch.cancelNext()
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    const late = performance.now() - watch.beganMs >= server.deadlineMs
    if (watch.seen || late) return down(watch, watch.seen ? 'closed' : 'absent')
  } else if (code !== undefined) {
    // For one EAGAIN: the queue of a server that does not accept is full. ECONNRESET before the connect: it was killed
    // with us in that queue. Either says that somebody listened.
    if (code === 'EAGAIN' || code === 'ECONNRESET' || code === 'EPIPE') watch.seen = true
    owe(watch)
  }
  watch.retryMs = Math.min(server.intervalMs, Math.max(COARSE_MS, retryMs * 2))
  if (retryMs === 0) open(watch)
  else next(watch, watch.seen ? retryMs : Math.min(retryMs, 100), () => open(watch))
}

function down(watch: Watch, reason: 'closed' | 'absent'): void {
  finish(watch)
  watch.server.onDown(reason)
}

function finish(watch: Watch): void {
  watch.over = true
  watch.cancelNext()
  watch.cancelDeadline()
  watch.socket?.destroy()
  watch.socket = undefined
}

function next(watch: Watch, ms: number, task: () => void): void {
  watch.cancelNext()
  watch.cancelNext = watch.timer.at(performance.now() + ms, task)
}
