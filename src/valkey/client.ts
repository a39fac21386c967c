import { createHash } from 'node:crypto'
import { connect as connectSocket, type Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import { ValkeyRefused, ValkeyReplyError, ValkeyTimeout, ValkeyUnreachable, ValkeyUntrusted } from './errors.ts'
import { redactReply } from './redact.ts'
import { encodeCommand, makeDecoder, RespError } from './resp.ts'

export type ValkeyAddress =
  | { path: string }
  | {
      host: string
      port: number
      /** PEM bundle; nothing else is trusted, the system's certificates neither. */
      ca: string
      /** Name that the certificate must carry, where it is not `host`. */
      servername?: string
      /** PEM of what we show a server that asks for a client's certificate. */
      client?: { cert: string; key: string }
    }

export type ConnectOptions = {
  socket: ValkeyAddress
  username: string
  password: string
  /** Deadline of the whole connect, handshake and authentication included, and of each call unless it names its own. */
  timeoutMs: number
}

export type CallOptions = {
  timeoutMs?: number
  /** Arguments that may stand in an error message; all others are cut out of it. */
  reveal?: readonly string[]
}

export type ValkeyConnection = AsyncDisposable & {
  /** SHA-256 of the served certificate's DER, lower-case hex; null on a unix socket. */
  servedFingerprint: string | null
  /**
   * One command, one reply, as RESP 3 has it: maps as objects without a prototype.
   * @throws ValkeyTimeout past the deadline: the connection is closed then, since a late reply would be taken for the next
   * @throws ValkeyUnreachable where the connection is closed or breaks
   * @throws ValkeyReplyError where the server answers with an error
   */
  call(args: readonly (string | Buffer)[], options?: CallOptions): Promise<unknown>
  /** Ends the connection at once; calls under way reject. Safe to repeat. */
  close(): Promise<void>
}

/**
 * Connects to one server and authenticates. Nothing is queued while there is no connection, and a broken one stays
 * broken: the caller observes again and connects anew.
 * @throws ValkeyUnreachable, ValkeyTimeout, ValkeyRefused (name or password), ValkeyUntrusted (certificate),
 *   ValkeyReplyError (for one `ERR max number of clients reached`, where that is read before the connection breaks)
 */
export async function connect({ socket, username, password, timeoutMs }: ConnectOptions): Promise<ValkeyConnection> {
  const { stream, open, served } = openStream(socket)
  const send = makeExchange(stream)
  try {
    const hello = ['HELLO', '3', 'AUTH', username, password]
    await within(
      timeoutMs,
      open.then(() => send(hello)),
      'connect',
    )
  } catch (error) {
    stream.destroy()
    throw connectError(error, password)
  }
  const call = async (args: readonly (string | Buffer)[], options: CallOptions = {}): Promise<unknown> => {
    try {
      return await within(options.timeoutMs ?? timeoutMs, send(args), String(args[0]).toUpperCase())
    } catch (error) {
      if (error instanceof ValkeyTimeout) stream.destroy()
      throw callError(error, args, options.reveal)
    }
  }
  const close = async (): Promise<void> => void stream.destroy()
  return { servedFingerprint: served(), call, close, [Symbol.asyncDispose]: close }
}

type Stream = {
  stream: Socket
  /** Resolves once it can be written to. */
  open: Promise<void>
  /** Fingerprint of the certificate that the handshake showed. */
  served: () => string | null
}

function openStream(address: ValkeyAddress): Stream {
  if ('path' in address) {
    const stream = connectSocket({ path: address.path })
    return { stream, open: once(stream, 'connect'), served: () => null }
  }
  let fingerprint: string | null = null
  const stream = connectTls({
    host: address.host,
    port: address.port,
    secureContext: contextOf(address),
    ...(address.servername === undefined ? {} : { servername: address.servername }),
    checkServerIdentity: (host, certificate) => {
      fingerprint = createHash('sha256').update(certificate.raw).digest('hex')
      return checkServerIdentity(host, certificate)
    },
  })
  stream.setNoDelay(true)
  return { stream, open: once(stream, 'secureConnect'), served: () => fingerprint }
}

/** The context of the bundle used last: making one takes a third of a handshake, and an installation has one bundle. */
let lastContext: { ca: string; context: SecureContext } | undefined

function contextOf({ ca, client }: { ca: string; client?: { cert: string; key: string } }): SecureContext {
  if (client !== undefined) return createSecureContext({ ca, ...client })
  if (lastContext?.ca !== ca) lastContext = { ca, context: createSecureContext({ ca }) }
  return lastContext.context
}

function once(stream: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once(event, resolve)
    stream.once('error', reject)
    stream.once('close', () => reject(closed()))
  })
}

const closed = () => new Error('the connection is closed')

/** Sends commands; replies come in their order. Everything under way rejects when the stream ends. */
function makeExchange(stream: Socket): (args: readonly (string | Buffer)[]) => Promise<unknown> {
  const waiting: { resolve: (reply: unknown) => void; reject: (error: Error) => void }[] = []
  let reason: Error | undefined
  const decoder = makeDecoder((reply) => {
    const next = waiting.shift()
    if (reply instanceof RespError) next?.reject(reply)
    else next?.resolve(reply)
  })
  stream.on('data', (chunk: Buffer) => {
    try {
      decoder.write(chunk)
    } catch (error) {
      stream.destroy(error as Error)
    }
  })
  stream.on('error', (error) => {
    reason = error
  })
  stream.on('close', () => {
    reason ??= closed()
    for (const { reject } of waiting.splice(0)) reject(reason)
  })
  return (args) =>
    new Promise((resolve, reject) => {
      if (stream.destroyed || !stream.writable) return reject(reason ?? closed())
      waiting.push({ resolve, reject })
      stream.write(encodeCommand(args))
    })
}

/** Rejects at the deadline; what is still under way then is left to its own end, unheard. */
async function within<T>(ms: number, work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ValkeyTimeout(`no answer to ${what} within ${ms} ms`)), ms)
  })
  work.catch(() => undefined)
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}

const refusals = /^(WRONGPASS|NOAUTH|NOPERM)\b/
const untrusted = /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH)/

function connectError(error: unknown, password: string): Error {
  if (error instanceof ValkeyTimeout) return error
  const { message, code } = facts(error)
  // The reply to a handshake could echo the credentials: its first word says enough.
  if (refusals.test(message))
    return new ValkeyRefused(`the server refused the credentials (${message.split(' ', 1)[0]})`)
  if (code !== undefined && untrusted.test(code)) return new ValkeyUntrusted(code)
  if (error instanceof RespError) return new ValkeyReplyError(redactReply(message, ['HELLO', password]))
  return new ValkeyUnreachable(`cannot connect: ${code ?? message}`, code)
}

function callError(error: unknown, args: readonly (string | Buffer)[], reveal: readonly string[] | undefined): Error {
  if (error instanceof ValkeyTimeout) return error
  const { message, code } = facts(error)
  if (error instanceof RespError) return new ValkeyReplyError(redactReply(message, args, reveal))
  return new ValkeyUnreachable(`the connection is closed${code === undefined ? '' : ` (${code})`}`, code)
}

function facts(error: unknown): { message: string; code: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: undefined }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { message: error.message, code }
}
