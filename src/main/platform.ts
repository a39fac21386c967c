/** The platform as a process: what it needs around its rooms, its start, its end, and what it leaves for the CLI to find. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { makeApi } from '../api/api.ts'
import { defaultLimits } from '../api/deps.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { processStartTime } from '../cli/process-identity.ts'
import { StepError } from '../domain/plan/step-error.ts'
import { shellQuote } from '../domain/shell-quote.ts'
import { makeProcessRuntime } from '../runtime/process/runtime.ts'
import { insertAuditRow } from '../store/audit.ts'
import { StoreInUse, StoreUnusable } from '../store/errors.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { VaultError } from '../vault/vault-error.ts'
import { compose, type Platform } from './compose.ts'
import { ensureFirstInstance, rememberShown } from './first-instance.ts'
import { newId } from './ids.ts'
import { makeLog } from './log.ts'
import { makePrivateDir, writePrivateFile } from './private-file.ts'
import type { Settings } from './setting-table.ts'
import { version } from './version.ts'

export type Running = {
  platform: Platform
  /** Base of the API, without a slash at its end. */
  url: string
  /** Content of admin.key: the first admin's API key. */
  adminKey: () => string
  /** Ends the platform, not the instances. */
  close(): Promise<void>
}

export type PlatformIo = {
  /** PATH, where valkey-server is looked for. */
  path: string
  log: Logger
}

/** A server with much to save takes a while. */
const stopAllMs = 600_000

const files = (home: string) => ({
  store: join(home, 'valkeep.db'),
  adminKey: join(home, 'admin.key'),
  platform: join(home, 'platform.json'),
})

/**
 * Starts the platform and resolves once its API listens.
 * @throws StoreInUse where another platform has the data directory, StepError without a Valkey, VaultError, listen errors
 */
export async function startPlatform(settings: Settings, io: PlatformIo): Promise<Running> {
  makePrivateDir(settings.home)
  const place = files(settings.home)
  const store = await openSqliteStore({ path: place.store, create: true })
  const undo: (() => Promise<void>)[] = [() => store.close()]
  let started = false
  try {
    const platform = await compose(settings, store, io.log, io.path, (key) =>
      writePrivateFile(place.adminKey, `${key}\n`),
    )
    undo.unshift(() => platform.stop())
    const https = certificateOf(settings)
    const api = makeApi({
      store,
      control: platform.control,
      driver: platform.driver,
      agent: platform.agent,
      caPem: platform.caPem,
      sessions: platform.sessions,
      now: () => new Date().toISOString(),
      notReady: () => (started ? [] : ['the driver has not started yet']),
      log: io.log,
      version,
      https,
      limits: { ...defaultLimits, requestsPerMinute: settings.rateLimitPerS * 60 },
    })
    undo.unshift(() => api.close())
    const url = await api.listen({ host: settings.host, port: settings.port })
    const left = { pid: process.pid, start_time: processStartTime(process.pid), url, cert_pem: https?.cert ?? null }
    writePrivateFile(place.platform, `${JSON.stringify(left)}\n`)
    undo.unshift(async () => rmSync(place.platform, { force: true }))
    await platform.start()
    started = true
    return {
      platform,
      url,
      adminKey: () => readFileSync(place.adminKey, 'utf8').trim(),
      close: () => inOrder(undo),
    }
  } catch (error) {
    await inOrder(undo)
    throw error
  }
}

async function inOrder(steps: (() => Promise<void>)[]): Promise<void> {
  for (const step of steps.splice(0)) await step()
}

function certificateOf(settings: Settings): { key: string; cert: string } | null {
  const { tlsCertFile, tlsKeyFile } = settings
  if (tlsCertFile === null || tlsKeyFile === null) return null
  return { key: readFileSync(tlsKeyFile, 'utf8'), cert: readFileSync(tlsCertFile, 'utf8') }
}

/** Where the program talks to its user. */
export type Terminal = {
  stdout: { write(text: string): unknown }
  stderr: { write(text: string): unknown }
  /** How its user calls the program for this data directory: `./valkeep`, `VALKEEP_HOME=/x valkeep`. */
  command: string
}

/**
 * `valkeep up`: runs the platform until a signal. The ready line goes to stdout, everything else a person reads before
 * it too; the log goes where the settings say.
 */
export async function runPlatform(settings: Settings, terminal: Terminal): Promise<void> {
  const { stdout, stderr, command } = terminal
  makePrivateDir(settings.home)
  const log = makeLog(settings)
  const ending = untilSignal()
  const running = await startPlatform(settings, { path: process.env['PATH'] ?? '', log }).catch(explainStart)
  const { platform, url } = running
  log.info({ url, home: settings.home, version }, 'the platform listens')
  try {
    if (!settings.first && platform.first) await rememberShown(platform)
    else await showFirst(settings, running, terminal)
  } catch (error) {
    log.error({ err: error }, 'the first instance is not there yet')
    stderr.write(`The first instance is not there yet: ${error instanceof Error ? error.message : String(error)}\n`)
  }
  stdout.write(`ready ${url}\n`)
  const signal = await ending
  // A person at the terminal; SIGTERM is another program, `valkeep down` among them.
  if (signal !== 'SIGTERM')
    stderr.write(`\nThe platform ends, the instances run on. To stop them too: ${command} down\n`)
  await running.close()
  log.info({ signal }, 'the platform ended')
}

const untilSignal = (): Promise<NodeJS.Signals> =>
  new Promise((resolve) => {
    // Kept after the first: npm forwards a Ctrl-C that the terminal sent us already, and the second must not kill us.
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => resolve(name))
  })

async function showFirst(settings: Settings, running: Running, { stdout, command }: Terminal): Promise<void> {
  if (running.platform.first) stdout.write('First start: making the instance `first` …\n')
  const first = await ensureFirstInstance(running.platform)
  if (!first) return
  const ca = join(settings.home, 'ca.pem')
  writePrivateFile(ca, `${first.caPem}\n`)
  const cli = `valkey-cli --tls --cacert ${shellQuote(ca)} -h ${first.host} -p ${first.port} --user ${first.username}`
  stdout.write(
    [
      '',
      'The instance `first` is active; a client connected to it over TLS.',
      `  API        ${running.url}   (key: ${join(settings.home, 'admin.key')})`,
      `  user       ${first.username}`,
      `  password   ${first.password}   (shown once)`,
      `  connect    ${cli} --askpass`,
      '',
      'Three commands to try next, in another terminal:',
      `  ${command} status`,
      `  ${command} instance connect first`,
      `  ${command} instance create myapp --memory-mb 128 --user app`,
      '',
      '',
    ].join('\n'),
  )
  await rememberShown(running.platform)
}

/** What stops a start, for the person who typed the command. */
function explainStart(error: unknown): never {
  if (error instanceof StoreInUse)
    throw new CliError(exitCodes.conflict, error.message, { next: 'valkeep status, or valkeep down to stop it' })
  if (error instanceof StoreUnusable || error instanceof VaultError)
    throw new CliError(exitCodes.failed, error.message, { next: 'valkeep doctor' })
  if (error instanceof StepError)
    throw new CliError(exitCodes.failed, error.message, { next: error.remedy ?? 'valkeep doctor' })
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL')
    throw new CliError(exitCodes.failed, `The API cannot listen: ${message}`, {
      next: 'Choose another port: valkeep up --port PORT, or VALKEEP_PORT=PORT',
    })
  throw error
}

/** `valkeep down`, once no platform runs: ends every server in the data directory, each saving its data first. */
export async function stopAllServers(settings: Settings): Promise<void> {
  const place = files(settings.home)
  if (!existsSync(place.store)) return
  const store = await openSqliteStore({ path: place.store, create: false }).catch(explainStart)
  try {
    const runtime = makeProcessRuntime({ serversDir: join(settings.home, 'servers'), socketsDir: settings.runtimeDir })
    const servers = await runtime.list()
    // All of them, whatever becomes of one: while any is ending, the store keeps another platform out.
    const ends = await Promise.allSettled(
      servers.map(({ id }) => runtime.stop(id, 'save', AbortSignal.timeout(stopAllMs))),
    )
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
    await store.write((tx) =>
      insertAuditRow(tx, {
        id: newId('audit'),
        at: new Date().toISOString(),
        actor: 'local',
        action: 'platform.down',
        target: `${servers.length} servers`,
        outcome: 'done',
        requestId: null,
        detail: null,
      }),
    )
  } finally {
    await store.close()
  }
}
