/**
 * Network, mount and pid namespaces of a test's own, for the daemons that would otherwise be the machine's. `namespaces.sh` beside this file ends
 * them, whatever becomes of the test.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

export type Namespaces = {
  /** Starts a daemon inside, its output added to `dir/logs/NAME`; it ends with the namespaces at the latest. */
  startDaemon(name: string, program: string, args: readonly string[]): Daemon
  /**
   * Puts before a command what runs it in the network namespace; files, processes and environment stay those outside. It ends with the process
   * that spawns it at the latest, not with the namespaces.
   */
  inNetwork(program: string, args: readonly string[]): [program: string, args: string[]]
  /** The first process, as seen from outside. */
  pid: string
  /** The first process has ended, and with it everything in them. */
  isOver(): boolean
  /**
   * Ends every process in them by SIGKILL and waits until processes, mounts, cgroups and `dir` are gone. Safe to call twice.
   * @returns the end of the first process's output
   */
  end(): Promise<string>
}

export type Daemon = {
  name: string
  isOver(): boolean
  /** SIGKILL; waits until it is gone. */
  kill(): Promise<void>
}

/** The namespaces of whoever is not root belong to a user namespace of their own, which is to be entered first. */
const ownUser = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials']

/** A command that runs `program` in namespaces of the process `pid`. */
export const enter = (
  pid: string,
  namespaces: string[],
  program: string,
  args: readonly string[],
): [string, string[]] => ['nsenter', ['--target', pid, ...ownUser, ...namespaces, program, ...args]]

/** The kernel ends it with its parent. */
const enterForNow = (pid: string, namespaces: string[], program: string, args: readonly string[]) =>
  enter(pid, namespaces, 'setpriv', ['--pdeathsig', 'KILL', program, ...args])

const outer = fileURLToPath(new URL('./namespaces.sh', import.meta.url))

/** Why there can be no such namespaces here; undefined where there can. */
export function missingForNamespaces(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'namespaces take root on Linux'
  const said = tryInNamespaces('true')
  return said === undefined ? undefined : `root may make no namespaces here: ${said}`
}

/** Runs a command in such namespaces, as root or as anybody. @returns what it says where it fails or there can be none */
export function tryInNamespaces(...command: string[]): string | undefined {
  const { status, stderr } = spawnSync('sh', [outer, 'try', ...command], { encoding: 'utf8' })
  return status === 0 ? undefined : stderr.trim()
}

/** Resolves once `child` has ended, or could not be started. */
function watch(child: ChildProcess) {
  const state = { over: false }
  const ended = new Promise<void>((resolve) => {
    const over = () => {
      state.over = true
      resolve()
    }
    child.once('exit', over)
    child.once('error', over)
  })
  return { state, ended }
}

/**
 * Starts them, with `sh SCRIPT DIR ARGUMENT...` as their first process, and waits until that has made `dir/up`.
 * @param dir its last component names the cgroups that go with them; `dir/logs` exists
 * @param env of the script and of every daemon
 * @throws Error with the end of the script's output
 */
export async function startNamespaces(dir: string, env: NodeJS.ProcessEnv, script: string, args: readonly string[]) {
  const child = spawn('sh', [outer, dir, script, ...args], { env, detached: true, stdio: ['pipe', 'ignore', 'pipe'] })
  const first = watch(child)
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const inside: Promise<void>[] = []
  const end = async (): Promise<void> => {
    child.stdin.end()
    await Promise.all([first.ended, ...inside])
  }
  try {
    await until(() => first.state.over || existsSync(join(dir, 'up')), 'the namespaces', 30_000)
    if (first.state.over) throw new Error('their first process ended')
  } catch (error) {
    await end()
    throw new Error(`no namespaces: ${said}`, { cause: error })
  }
  const pid = readFileSync(join(dir, 'pid'), 'utf8').trim()
  const startDaemon = (name: string, program: string, daemonArgs: readonly string[]): Daemon => {
    const log = openSync(join(dir, 'logs', name), 'a')
    // nsenter itself stays outside, as its parent: one signal ends both.
    const [entering, all] = enterForNow(pid, ['--net', '--mount', '--pid'], program, daemonArgs)
    const daemon = spawn(entering, all, { env, detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    const { state, ended } = watch(daemon)
    inside.push(ended)
    return {
      name,
      isOver: () => state.over,
      async kill() {
        daemon.kill('SIGKILL')
        await ended
      },
    }
  }
  return {
    startDaemon,
    inNetwork: (program, programArgs) => enterForNow(pid, ['--net'], program, programArgs),
    pid,
    isOver: () => first.state.over,
    end: async () => {
      await end()
      return said
    },
  } satisfies Namespaces
}
