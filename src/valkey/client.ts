import { createHash } from 'node:crypto'
import { checkServerIdentity } from 'node:tls'
import { ValkeyRefused, ValkeyReplyError, ValkeyTimeout, ValkeyUnreachable, ValkeyUntrusted } from './errors.ts'
import { redactReply } from './redact.ts'

export type ValkeyAddress =
  | { path: string }
  | {
      host: string
      port: number
      /** PEM bundle; nothing else is trusted, the system's certificates neither. */
      ca: string
      /** Name that the certificate must carry, where it is not `host`. */
      servername?: string
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
  // Imported here: 150 ms that a command which talks to no server need not pay.
  const redis = await import('@redis/client')
  let servedFingerprint: string | null = null
  // createClient builds a class of all commands (30 ms) whenever its options differ from the last ones, and keeps those,
  // the password among them, as text. A class made for these options serves every connection.
  const client = redis.RedisClient.factory({ RESP: 3 })({
    username,
    password,
    socket: {
      ...('path' in socket
        ? { path: socket.path, tls: false as const }
        : {
            host: socket.host,
            port: socket.port,
            tls: true as const,
            ca: socket.ca,
            ...(socket.servername === undefined ? {} : { servername: socket.servername }),
            checkServerIdentity: (host: string, certificate: Parameters<typeof checkServerIdentity>[1]) => {
              servedFingerprint = createHash('sha256').update(certificate.raw).digest('hex')
              return checkServerIdentity(host, certificate)
            },
          }),
      connectTimeout: timeoutMs,
      reconnectStrategy: false as const,
    },
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  })
  // Each call rejects on its own; without a listener Node ends the process.
  client.on('error', () => undefined)
  try {
    await within(timeoutMs, client.connect(), 'connect')
  } catch (error) {
    client.destroy()
    throw connectError(redis, error, password)
  }
  const call = async (args: readonly (string | Buffer)[], options: CallOptions = {}): Promise<unknown> => {
    try {
      return await within(options.timeoutMs ?? timeoutMs, client.sendCommand([...args]), String(args[0]).toUpperCase())
    } catch (error) {
      if (error instanceof ValkeyTimeout) client.destroy()
      throw callError(redis, error, args, options.reveal)
    }
  }
  const close = async (): Promise<void> => client.destroy()
  return { servedFingerprint, call, close, [Symbol.asyncDispose]: close }
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

type RedisClientModule = typeof import('@redis/client')

function connectError(redis: RedisClientModule, error: unknown, password: string): Error {
  if (error instanceof ValkeyTimeout) return error
  const { message, code } = facts(error)
  // The reply to a handshake could echo the credentials: its first word says enough.
  if (refusals.test(message))
    return new ValkeyRefused(`the server refused the credentials (${message.split(' ', 1)[0]})`)
  if (code !== undefined && untrusted.test(code)) return new ValkeyUntrusted(code)
  if (error instanceof redis.ErrorReply) return new ValkeyReplyError(redactReply(message, ['HELLO', password]))
  if (error instanceof redis.ConnectionTimeoutError) return new ValkeyTimeout('no connection within the deadline')
  return new ValkeyUnreachable(`cannot connect: ${code ?? message}`, code)
}

function callError(
  redis: RedisClientModule,
  error: unknown,
  args: readonly (string | Buffer)[],
  reveal: readonly string[] | undefined,
): Error {
  if (error instanceof ValkeyTimeout) return error
  const { message, code } = facts(error)
  if (error instanceof redis.ErrorReply) return new ValkeyReplyError(redactReply(message, args, reveal))
  return new ValkeyUnreachable(`the connection is closed${code === undefined ? '' : ` (${code})`}`, code)
}

function facts(error: unknown): { message: string; code: string | undefined } {
  if (!(error instanceof Error)) return { message: String(error), code: undefined }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { message: error.message, code }
}
