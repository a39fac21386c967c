/**
 * A real Docker engine for one test: in network, mount and pid namespaces of its own, everything it keeps in a temp directory. It reaches
 * no registry and no network: images are imported. It ends with its namespaces, whatever becomes of the test.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { missingForNamespaces, startNamespaces } from './namespaces.ts'
import { partsDir, valkeyBinaries } from './parts.ts'
import { until } from './until.ts'

export type Dockerd = {
  /** Its last component names the cgroup of all its containers too. Gone after {@link Dockerd.stop}. */
  dir: string
  /** To be laid over `process.env`: DOCKER_HOST, DOCKER_CONFIG (with the compose plugin), PATH (with the docker CLI). */
  env: { DOCKER_HOST: string; DOCKER_CONFIG: string; PATH: string }
  /** The standard output of the docker CLI, without the last newline. Rejects with its standard error. */
  docker(...args: string[]): Promise<string>
  /** Runs a program of this machine in the engine's network, where published ports are. Answers and rejects like {@link Dockerd.docker}. */
  inside(program: string, ...args: string[]): Promise<string>
  /**
   * SIGKILL from within the engine's pid namespace: to Docker a crash, which its restart policy answers. `docker kill` is not.
   * @param pid as `docker inspect --format '{{.State.Pid}}'` says it
   */
  killInside(pid: number): Promise<void>
  /** Makes an image like the official alpine one of this machine's Valkey. Rejects where that version is missing here. */
  importValkeyImage(options?: { version?: '8.0' | '8.1' | '9'; tag?: string }): Promise<void>
  /** Ends it and its containers by SIGKILL and waits until nothing is left. Safe to call twice. */
  stop(): Promise<void>
}

const run = promisify(execFile)
const beside = (script: string) => fileURLToPath(new URL(script, import.meta.url))
const engineDir = () => join(partsDir(), 'docker')

/**
 * Whether an engine can be started here. Where not, the test is skipped, loudly: return at once then. Under `CI=true` that is an error instead.
 */
export function requireDocker(t: TestContext): boolean {
  const missing = missingForDocker()
  if (missing === undefined) return true
  if (process.env['CI'] === 'true') throw new Error(missing)
  t.skip(missing)
  return false
}

function missingForDocker(): string | undefined {
  const missing = missingForNamespaces()
  if (missing !== undefined) return `a Docker engine for tests takes namespaces: ${missing}`
  return existsSync(join(engineDir(), 'bin', 'dockerd'))
    ? undefined
    : 'the part docker is missing; sh scripts/setup.sh dev brings it'
}

function makeDir(): string {
  const template = join(tmpdir(), 'vkd-')
  // What sockaddr_un holds, with a little to spare.
  if (`${template}XXXXXX/s`.length > 104) throw new Error(`the socket's path would be too long, set a shorter TMPDIR`)
  return mkdtempSync(template)
}

/** Writes what the engine and its CLI read, and nothing of which lies outside of `dir`. */
function configure(dir: string): Dockerd['env'] {
  const socket = join(dir, 's')
  const settings = {
    hosts: [`unix://${socket}`],
    'data-root': join(dir, 'data'),
    'exec-root': join(dir, 'exec'),
    pidfile: join(dir, 'dockerd.pid'),
    'cgroup-parent': `/${basename(dir)}`,
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    'log-level': 'warn',
  }
  writeFileSync(join(dir, 'daemon.json'), JSON.stringify(settings))
  mkdirSync(join(dir, 'cli'))
  symlinkSync(join(engineDir(), 'cli-plugins'), join(dir, 'cli', 'cli-plugins'))
  const path = `${join(engineDir(), 'bin')}:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`
  return { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(dir, 'cli'), PATH: path }
}

const answers = (socketPath: string): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ socketPath, path: '/_ping', signal: AbortSignal.timeout(5_000) })
    request.once('response', (response) => resolve(response.resume().statusCode === 200))
    request.once('error', () => resolve(false))
  })

/**
 * Starts an engine without images or containers; ask {@link requireDocker} first.
 * @throws Error with the end of the engine's log where it does not come up
 */
export async function startDockerd(): Promise<Dockerd> {
  const dir = makeDir()
  const env = configure(dir)
  mkdirSync(join(dir, 'logs'))
  const namespaces = await startNamespaces(dir, { ...process.env, ...env }, beside('./dockerd.sh'), [])
  try {
    await until(
      async () => namespaces.isOver() || (await answers(join(dir, 's'))),
      'the Docker engine to answer',
      60_000,
    )
    if (namespaces.isOver()) throw new Error('the Docker engine ended')
  } catch (error) {
    throw new Error(`no Docker engine, whose log ends:\n${await namespaces.end()}`, { cause: error })
  }
  const call = async (program: string, ...args: string[]): Promise<string> => {
    const { stdout } = await run(program, args, { env: { ...process.env, ...env }, maxBuffer: 64 << 20 })
    return stdout.replace(/\n$/, '')
  }
  return {
    dir,
    env,
    docker: (...args) => call('docker', ...args),
    inside: (program, ...args) => {
      const [entering, words] = namespaces.inNetwork(program, args)
      return call(entering, ...words)
    },
    async killInside(pid) {
      await call('nsenter', '--target', namespaces.pid, '--pid', 'sh', '-c', 'kill -KILL "$1"', 'sh', String(pid))
    },
    async importValkeyImage({ version = '8.0', tag = 'valkey/valkey:8-alpine' } = {}) {
      const server = valkeyBinaries().find((binary) => binary.version === version)?.path
      if (server === undefined) throw new Error(`the part valkey-${version} is missing`)
      await call('sh', beside('./valkey-image.sh'), dirname(server), tag)
    },
    async stop() {
      await namespaces.end()
    },
  }
}
