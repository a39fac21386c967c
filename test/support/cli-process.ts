/** The program `valkeep` in processes of its own: a platform in a data directory of its own, and commands that find it. */
import assert from 'node:assert/strict'
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { assertNothingLeft } from './left-behind.ts'
import { freePort } from './free-port.ts'

export type Row = Record<string, unknown>
export type Result = { status: number | null; stdout: string; stderr: string }
type Options = { input?: string; env?: Record<string, string> }

const entry = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url))

/** A process's exit code and what it prints from now on. */
export async function finished(child: ChildProcess): Promise<Result> {
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk) => {
      text[name] += chunk
    })
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, ...text }
}

/** Resolves with the URL of the ready line. */
function ready(child: ChildProcessWithoutNullStreams): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      text += chunk
    })
    child.stdout.on('data', (chunk) => {
      text += chunk
      const url = /^ready (\S+)$/m.exec(text)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.once('close', () => reject(new Error(`the platform ended: ${text}`)))
  })
}

type Environment = Record<string, string>

const start = (env: Environment, args: string[]) =>
  spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, ...args], { env })

/** Ways to run commands in an environment. */
function makeCommands(env: Environment) {
  /** Runs a command to its end. */
  function valkeep(args: string[], options: Options = {}): Promise<Result> {
    const child = start({ ...env, ...options.env }, args)
    child.stdin.end(options.input ?? '')
    return finished(child)
  }

  /** Runs a command that has to succeed. @returns what it prints as JSON, and nothing else */
  async function json<T = Row>(args: string[], options: Options = {}): Promise<T> {
    const { status, stdout, stderr } = await valkeep([...args, '--json'], options)
    assert.equal(status, 0, `${args.join(' ')}: ${stderr}`)
    return JSON.parse(stdout) as T
  }

  return {
    start: (args: string[]) => start(env, args),
    valkeep,
    json,
    /** The rows of a list. */
    items: async (args: string[]): Promise<Row[]> => (await json<{ items: Row[] }>(args)).items,
    /** Runs a command that has to end with `code`, print nothing on stdout, and say `message`. */
    async fails(code: number, message: RegExp, args: string[], options: Options = {}): Promise<void> {
      const { status, stdout, stderr } = await valkeep(args, options)
      assert.equal(status, code, `${args.join(' ')}: ${stdout}${stderr}`)
      assert.equal(stdout, '')
      assert.match(stderr, message)
    },
    onTerminal: (t: TestContext, args: string[], answers: [RegExp, string][] = []) => onTerminal(t, env, args, answers),
  }
}

/** Makes the directories and the environment; nothing runs yet. `remove` at the end, whatever happened. */
export function makeCliHome() {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-cli-'))
  // Short, whatever TMPDIR is: sockets lie in it.
  const runtimeDir = mkdtempSync('/tmp/valkeep-cli-')
  const childTmp = join(dir, 'tmp')
  mkdirSync(childTmp)
  const portMin = 21_000 + Math.floor(Math.random() * 70) * 100
  const env: Environment = {
    PATH: process.env.PATH ?? '',
    HOME: dir,
    TMPDIR: childTmp,
    VALKEEP_HOME: join(dir, 'home'),
    VALKEEP_RUNTIME_DIR: runtimeDir,
    VALKEEP_PORT_MIN: String(portMin),
    VALKEEP_PORT_MAX: String(portMin + 99),
    ...(process.env.NODE_COMPILE_CACHE ? { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE } : {}),
  }
  const commands = makeCommands(env)
  let platform: ChildProcess | null = null

  return {
    ...commands,
    dir,
    home: join(dir, 'home'),
    /** Where the servers' sockets lie. */
    runtimeDir,
    /** The commands' TMPDIR. */
    childTmp,
    port: () => env.VALKEEP_PORT,
    platform: () => platform,
    /** Starts the platform, without a first instance. @returns its URL */
    async up(args: string[] = []): Promise<string> {
      env.VALKEEP_PORT ??= String(await freePort())
      const child = commands.start(['up', '--no-first', ...args])
      platform = child
      return ready(child)
    },
    /** Ends the platform and every server, fails where something is left, and removes all files. */
    async remove(): Promise<void> {
      const { status, stderr } = await commands.valkeep(['down'])
      if (platform?.exitCode === null && platform.signalCode === null) platform.kill('SIGKILL')
      assertNothingLeft(dir)
      assert.equal(status, 0, stderr)
      rmSync(dir, { recursive: true })
      rmSync(runtimeDir, { recursive: true })
    },
  }
}

/**
 * Runs a command on a terminal of its own, 120 columns wide.
 * @param answers what to type once which text is shown, in turn
 * @returns undefined where no terminal can be made: the test is skipped then, and fails under CI
 */
async function onTerminal(t: TestContext, env: Record<string, string>, args: string[], answers: [RegExp, string][]) {
  const script = ['/usr/bin/script', '/bin/script'].find((file) => existsSync(file))
  if (script === undefined || process.platform !== 'linux') {
    assert.notEqual(process.env.CI, 'true', 'script (bsdutils) is needed')
    t.skip('SKIPPED: script (bsdutils) is not here, nothing to make a terminal with')
    return undefined
  }
  const words = [process.execPath, entry, ...args].map((word) => `'${word}'`)
  const command = `stty cols 120 rows 40; ${words.join(' ')}`
  const child = spawn(script, ['-qefc', command, '/dev/null'], { env: { ...env, TERM: 'xterm', SHELL: '/bin/sh' } })
  const waiting = [...answers]
  let shown = ''
  child.stdout.on('data', (chunk) => {
    shown += chunk
    const [next] = waiting
    if (!next?.[0].test(shown)) return
    waiting.shift()
    child.stdin.write(next[1])
  })
  return finished(child)
}
