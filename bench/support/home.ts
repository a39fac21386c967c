/** A platform as its user runs it: `bin/valkeep up` in a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assertNothingLeft } from '../../test/support/left-behind.ts'
import { type Caller, makeCaller } from '../../test/support/http.ts'
import { freePort } from '../../test/support/free-port.ts'

const program = fileURLToPath(new URL('../../bin/valkeep', import.meta.url))

export type Up = {
  pid: number
  url: string
  /** From the start of the process to its ready line. */
  readyMs: number
  call: Caller
  tenantId: string
  /** Ends the platform; its servers run on. */
  stop(): Promise<void>
}

export type BenchHome = {
  dir: string
  /** The data directory. */
  home: string
  env: Record<string, string>
  up(): Promise<Up>
  /** Ends platform and servers, and removes all files. */
  remove(): Promise<void>
}

/** @param portMin the range of 1,000 ports from here on is the platform's */
export async function makeHome(portMin: number): Promise<BenchHome> {
  // Short: sockets lie in it.
  const dir = mkdtempSync('/tmp/vkb-')
  const home = join(dir, 'home')
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: dir,
    VALKEEP_HOME: home,
    VALKEEP_RUNTIME_DIR: join(dir, 'run'),
    VALKEEP_PORT: String(await freePort()),
    VALKEEP_PORT_MIN: String(portMin),
    VALKEEP_PORT_MAX: String(portMin + 999),
    VALKEEP_CAPACITY_MB: '1000000',
    VALKEEP_LOG_LEVEL: 'warn',
  }
  const bench: BenchHome = {
    dir,
    home,
    env,
    async up() {
      const startedAt = performance.now()
      const child = spawn(program, ['up', '--no-first'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
      const url = await readyUrl(child)
      const readyMs = performance.now() - startedAt
      const call = makeCaller(url, readFileSync(join(home, 'admin.key'), 'utf8').trim())
      const tenants = await call<{ items: { id: string }[] }>('GET', '/tenants')
      const tenantId = String(tenants.body.items[0]?.id)
      return { pid: Number(child.pid), url, readyMs, call, tenantId, stop: () => ended(child, 'SIGTERM') }
    },
    async remove() {
      await ended(spawn(program, ['down'], { env, stdio: 'ignore' }))
      assertNothingLeft(dir)
      rmSync(dir, { recursive: true, force: true })
    },
  }
  // The first start ever fills Node's compile cache, which takes the platform a second of its time.
  const first = await bench.up()
  await first.stop()
  return bench
}

function readyUrl(child: ChildProcess): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      text += String(chunk)
      const url = /^ready (\S+)$/m.exec(text)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.once('close', (code) => reject(new Error(`the platform ended (${code})`)))
  })
}

async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  if (signal) child.kill(signal)
  await exit
}
