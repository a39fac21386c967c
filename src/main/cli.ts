/** Entry of the program `valkeep`; the one place of the CLI that reads argv and the environment. */
import { readFileSync } from 'node:fs'
import { homedir, tmpdir, totalmem } from 'node:os'
import type { Context, LocalPlatform } from '../cli/context.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { runProgram } from '../cli/run.ts'
import { healthVariables } from '../domain/stack/health.ts'
import { commandFor, commandName } from './command.ts'
import { settingFlags } from './setting-flags.ts'
import { defaultHome, type Machine, type Settings } from './setting-table.ts'
import { version } from './version.ts'

const { env } = process

/** A user without an account (a container's arbitrary id) and without HOME has none: / stands for it, as in a shell. */
function homeDir(): string {
  try {
    return homedir()
  } catch {
    return '/'
  }
}

/** A container's memory limit where there is one; without one cgroups say 0 or a number above the machine's. */
function memoryMb(): number {
  const limit = process.constrainedMemory()
  return Math.floor((limit > 0 ? Math.min(limit, totalmem()) : totalmem()) / 2 ** 20)
}

const machine = (): Machine => ({
  homeDir: homeDir(),
  cwd: process.cwd(),
  uid: process.getuid?.() ?? 0,
  memoryMb: memoryMb(),
  env,
})

function readConfigFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function loadSettingsOrFail(flags: Readonly<Record<string, unknown>>): Promise<Settings> {
  const { loadSettings } = await import('./settings.ts')
  const result = loadSettings({ flags, machine: machine(), readConfigFile })
  if ('ok' in result) return result.ok
  const reasons = result.errors.map(({ setting, source, message, fix }) => `${setting} (${source}): ${message}. ${fix}`)
  throw new CliError(exitCodes.usage, 'The settings are wrong', {
    reasons,
    next: 'Mend them all, then run this again.',
  })
}

const local: LocalPlatform = {
  async run(flags) {
    const settings = await loadSettingsOrFail(flags)
    const { runPlatform } = await import('./platform.ts')
    const own = commandFor(command, settings.home, defaultHome(env, homeDir()))
    await runPlatform(settings, { stdout: process.stdout, stderr: process.stderr, command: own })
  },
  settings: loadSettingsOrFail,
  async stopAllServers(flags) {
    const settings = await loadSettingsOrFail(flags)
    const { stopAllServers } = await import('./platform.ts')
    await stopAllServers(settings)
  },
}

const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

type Handler = (signal: NodeJS.Signals) => void
/** The newest alone is called: what waits innermost knows best what a signal means to it. */
const handlers: Handler[] = []
const callNewest: Handler = (signal) => handlers.at(-1)?.(signal)

function onSignal(handler: Handler): () => void {
  if (handlers.length === 0) for (const signal of signals) process.on(signal, callNewest)
  handlers.push(handler)
  return () => {
    const at = handlers.lastIndexOf(handler)
    if (at !== -1) handlers.splice(at, 1)
    if (handlers.length === 0) for (const signal of signals) process.off(signal, callNewest)
  }
}

/** An empty variable counts as not set. */
const variable = (name: string) => env[name] || undefined

const command = commandName(env['VALKEEP_COMMAND'])

function makeContext(): Context {
  return {
    process: { stdout: process.stdout, stderr: process.stderr, env: {} },
    command,
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    colour: Boolean(process.stdout.isTTY) && !variable('NO_COLOR') && env['TERM'] !== 'dumb',
    defaults: {
      home: variable('VALKEEP_HOME') ?? defaultHome(env, homeDir()),
      api: variable('VALKEEP_API'),
      keyFile: variable('VALKEEP_KEY_FILE'),
      caFile: variable('VALKEEP_CA_FILE'),
      tenant: variable('VALKEEP_TENANT'),
    },
    childEnv: env,
    healthEnv: Object.fromEntries(
      Object.keys(healthVariables).flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
    ),
    tmpDir: tmpdir(),
    local,
    onSignal,
  }
}

// A reader that has seen enough (`valkeep … | head`) is no fault, and no reason to end the platform.
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })

process.exitCode = await runProgram(process.argv.slice(2), makeContext(), { settingFlags, version })
// What was waited for may never come (a pipe that stays open), and nothing waits for it any more.
if (process.exitCode === exitCodes.interrupted) process.exit()
