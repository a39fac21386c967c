/** valkey-cli as a user made for this one session. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isIP } from 'node:net'
import { path } from './api-client.ts'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { withNext } from './next-step.ts'
import type { Session } from './session.ts'
import type { ConnectionView } from './views.ts'

/** Answer of POST /valkey-instances/{id}/sessions. */
type SessionUser = { id: string; username: string; password: string }

/** The answer comes once the server knows the user; the API gives up after 10 s and says why. */
export const sessionTimeoutMs = 20_000
/** A session's end is accepted at once; nobody waits long for a platform that is gone. */
const endTimeoutMs = 5000

export type ConnectOptions = {
  program: string
  args: readonly string[]
  preset: string | undefined
  ttlS: number | undefined
}

/** Arguments for valkey-cli: no secret among them, everybody on the machine can read them. */
export function valkeyCliArgs(
  connection: Pick<ConnectionView, 'host' | 'port' | 'server_name'>,
  username: string,
  caFile: string,
): string[] {
  const sni = isIP(connection.server_name) === 0 ? ['--sni', connection.server_name] : []
  return ['-h', connection.host, '-p', String(connection.port), '--tls', '--cacert', caFile, ...sni, '--user', username]
}

/**
 * Makes the user of a session; it can log in once this returns.
 * @throws CliError where the server does not take it: why, and where to look
 */
export async function makeSession<T extends object>(
  { client }: Session,
  instance: { id: string; name: string },
  body: { preset: string | undefined; ttl_s: number | undefined },
  signal?: AbortSignal,
): Promise<T> {
  const sessions = path`/valkey-instances/${instance.id}/sessions`
  const options = { timeoutMs: sessionTimeoutMs, ...(signal === undefined ? {} : { signal }) }
  const get = `valkeep instance get ${instance.name}`
  const look = `Its health and what is done about it: ${get}, valkeep operation list --instance ${instance.name}`
  const sent = client.send<T>('POST', sessions, body, options).catch((error) => {
    if (!(error instanceof CliError)) throw error
    const { message, reasons, status, code } = error
    const stopped = code === 'wrong-state' && /\bstopped\b/.test(message)
    const next =
      error.exitCode === exitCodes.timeout ? look : stopped ? `valkeep instance start ${instance.name}` : error.next
    throw new CliError(error.exitCode, message, { reasons, next, status, code: stopped ? null : code })
  })
  return (await withNext(sent, { unavailable: look, 'wrong-state': get })).body
}

/**
 * Makes a session user, runs valkey-cli on the person's terminal, then ends the user and removes the CA file: also when a
 * signal ends the session. Killed by SIGKILL, the user ends with its time and a public CA certificate stays in a 0700 directory.
 * @throws CliError where valkey-cli is missing or ends with an error
 */
export async function connectWithValkeyCli(
  session: Session,
  instance: { id: string; name: string },
  options: ConnectOptions,
): Promise<void> {
  const { client, context } = session
  const connection = await client.get<ConnectionView>(path`/valkey-instances/${instance.id}/connection`)
  let ending: NodeJS.Signals | null = null
  let child: ReturnType<typeof spawn> | null = null
  const waiting = new AbortController()
  // Ctrl-C reaches valkey-cli by itself, from the terminal; the others are passed on. Nothing may end us before the user is gone.
  const release = context.onSignal((signal) => {
    if (child !== null && signal === 'SIGINT' && context.stdin.isTTY) return
    ending = signal
    waiting.abort(new CliError(exitCodes.interrupted, `Ended by ${signal}`))
    child?.kill(signal)
  })
  const dir = mkdtempSync(join(context.tmpDir, 'valkeep-'))
  let user: SessionUser | null = null
  try {
    const caFile = join(dir, 'ca.pem')
    writeFileSync(caFile, connection.ca_pem, { mode: 0o600 })
    const body = { preset: options.preset, ttl_s: options.ttlS }
    // Interrupted meanwhile, a user may have been made whose password nobody knows: it goes when its time is up.
    user = await makeSession<SessionUser>(session, instance, body, waiting.signal)
    if (ending === null) {
      const args = [...valkeyCliArgs(connection, user.username, caFile), ...options.args]
      // valkey-cli 8.0 reads this name only. It is in the environment of this one child and goes with it.
      const env = { ...context.childEnv, REDISCLI_AUTH: user.password }
      child = spawn(options.program, args, { stdio: 'inherit', env })
      await outcome(child, options.program, context).catch((error) => {
        // A signal ended it: how valkey-cli took that is no news.
        if (ending === null) throw error
      })
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
    if (user !== null) await endSession(session, user)
    release()
  }
  if (ending !== null) throw new CliError(exitCodes.interrupted, `Ended by ${ending}`)
}

function outcome(child: ReturnType<typeof spawn>, program: string, context: Context): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      const message = missing
        ? `${program} was not found`
        : `${program} cannot be started: ${error.code ?? error.message}`
      reject(
        new CliError(exitCodes.failed, message, {
          next: 'Install it (Debian: apt-get install valkey-tools), or name it: --valkey-cli FILE',
        }),
      )
    })
    child.once('exit', (code, signal) => {
      if (code === 0 || (signal === 'SIGINT' && context.stdin.isTTY)) resolve()
      else reject(new CliError(exitCodes.failed, `valkey-cli ended with ${signal ?? `exit code ${code}`}`))
    })
  })
}

/** Best effort: where the platform cannot be reached now, the user's time ends it. */
async function endSession(session: Session, user: SessionUser): Promise<void> {
  try {
    await session.client.send('DELETE', path`/valkey-users/${user.id}`, undefined, { timeoutMs: endTimeoutMs })
  } catch (error) {
    if (error instanceof CliError && error.exitCode === exitCodes.notFound) return
    session.note(
      `The session's user ${user.username} could not be ended (${(error as Error).message}); it ends when its time is up.`,
    )
  }
}
