/** The platform as a process of its own that is killed, started again, and looked at from outside. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { serverLayout } from '../../src/domain/server-plan.ts'
import { fileKeyProvider } from '../../src/vault/key-provider.ts'
import { makeVault } from '../../src/vault/vault.ts'
import { type CallOptions, type HttpAnswer, makeCaller } from './http.ts'
import { assertNothingLeft, processesIn } from './left-behind.ts'
import { until } from './until.ts'
import { freePort } from './free-port.ts'

type Row = Record<string, unknown>
type Ended = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

export type Instance = {
  id: string
  name: string
  status: string
  status_message: string | null
  health: string
  port: number
  generation: number
  observed_generation: number
  desired_state: string
}
type Step = { seq: number; kind: string; status: string; error: string | null }
export type Operation = {
  id: string
  kind: string
  status: string
  instance_id: string
  cause: { code: string; message: string } | null
  note: string | null
  steps: Step[]
}

/** The user of every instance that `make` makes. */
export const app = { username: 'app', password: 'the-first-password-1' }

type Options = {
  flags?: string[]
  env?: Record<string, string>
  /** Words before the command, as `unshare -m`. */
  wrap?: string[]
}

export type KillablePlatform = ReturnType<typeof makeKillablePlatform>

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = join(root, 'src/main/cli.ts')
const patienceMs = 20_000
const portsEach = 40
let made = 0

/** Ports that somebody listens on here. */
function listeningPorts(): Set<number> {
  const listening = /^ *\d+: \S+:([0-9A-F]{4}) \S+ 0A /gm
  const tables = ['tcp', 'tcp6'].map((table) => readFileSync(`/proc/net/${table}`, 'latin1'))
  const ports = tables.flatMap((text) => [...text.matchAll(listening)].map(([, hex = '']) => Number.parseInt(hex, 16)))
  return new Set(ports)
}

/** The child's end, and all that it prints. */
function watch(child: ChildProcess) {
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk) => {
      text[name] += chunk
    })
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, ...text })),
  )
  return { child, text, ended }
}

function makeEnvironment(dir: string): Record<string, string> {
  // Files of tests run side by side: each begins its range elsewhere, and a port that is taken is passed over.
  const portMin = 15_000 + ((process.pid * 13 + made++) % 180) * portsEach
  return {
    PATH: process.env.PATH ?? '',
    HOME: dir,
    VALKEEP_HOME: join(dir, 'home'),
    VALKEEP_RUNTIME_DIR: join(dir, 'run'),
    VALKEEP_PORT_MIN: String(portMin),
    VALKEEP_PORT_MAX: String(portMin + portsEach - 1),
    VALKEEP_SWEEP_INTERVAL_S: '1',
    VALKEEP_CAPACITY_MB: '4096',
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules/.cache/valkeep-test'),
  }
}

/** Calls to the API whose platform comes and goes. */
function makeCalls(caller: () => ReturnType<typeof makeCaller>) {
  const call = <T = Row>(method: string, path: string, options?: CallOptions): Promise<HttpAnswer<T>> =>
    caller()<T>(method, path, options)

  /** A call that has to be accepted. */
  async function ok<T = Row>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call<T>(method, path, body === undefined ? {} : { body })
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }

  const instance = (id: string) => ok<Instance>('GET', `/valkey-instances/${id}`)
  /** Newest first. */
  const operations = async (instanceId: string) =>
    (await ok<{ items: Operation[] }>('GET', `/operations?instance_id=${instanceId}&limit=200`)).items
  /** How the operation ends. */
  const settled = (id: string) => ok<Operation>('GET', `/operations/${id}/wait?timeout_s=30`)

  /** Asks for something of an instance and waits until it has succeeded. */
  async function done<T = Row>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await call<T>(method, path, body === undefined ? {} : { body })
    const location = answer.headers.get('location')
    assert.ok(answer.status < 300 && location, `${method} ${path}: ${answer.status} ${answer.text}`)
    const operation = await settled(location.slice('/operations/'.length))
    assert.equal(operation.status, 'succeeded', JSON.stringify(operation))
    return answer.body
  }

  /** The first tenant of the installation. */
  const tenantId = async () => String((await ok<{ items: Row[] }>('GET', '/tenants')).items[0]?.['id'])

  /** Makes an instance with the user `app`, and waits until it is served. */
  async function make(name: string): Promise<Instance> {
    const body = { name, max_memory_mb: 16, users: [{ ...app, privileges: ['full'] }] }
    return done<Instance>('POST', `/tenants/${await tenantId()}/valkey-instances`, body)
  }

  return { call, ok, done, instance, operations, settled, tenantId, make }
}

/** Where one platform keeps its things. Short, whatever TMPDIR is: sockets lie in it. */
function makePlace() {
  const dir = mkdtempSync('/tmp/vkf-')
  const home = join(dir, 'home')
  mkdirSync(home, { mode: 0o700 })
  return { dir, home, runtimeDir: join(dir, 'run'), serversDir: join(home, 'servers') }
}
type Place = ReturnType<typeof makePlace>

/** Looks into the store from outside. */
function makeStoreView({ dir, home, runtimeDir, serversDir }: Place) {
  /** What a query finds: in a copy, since a platform holds the store locked. */
  function rows(query: string): Row[] {
    const copy = mkdtempSync(join(dir, 'store-'))
    for (const name of ['valkeep.db', 'valkeep.db-wal'])
      if (existsSync(join(home, name))) copyFileSync(join(home, name), join(copy, name))
    const database = new DatabaseSync(join(copy, 'valkeep.db'))
    try {
      return database.prepare(query).all() as Row[]
    } finally {
      database.close()
      rmSync(copy, { recursive: true })
    }
  }

  /** Id, files and admin password of an instance's server. */
  function serverOf(instanceId: string) {
    const [row] = rows(`select v.id, s.id as secret_id, s.key_id, s.blob from servers v
      join secrets s on s.id = v.admin_secret_id where v.instance_id = '${instanceId}'`)
    assert.ok(row, `no server of ${instanceId}`)
    const vault = makeVault(fileKeyProvider({ path: join(home, 'vault.key'), create: false }))
    const sealed = { keyId: String(row['key_id']), blob: String(row['blob']) }
    const layout = serverLayout(serversDir, runtimeDir, String(row['id']))
    return { id: String(row['id']), layout, adminPassword: vault.unseal(sealed, String(row['secret_id'])).toString() }
  }

  return { rows, serverOf }
}

/** The process: its start, its end, and commands of the CLI beside it. */
function makeProcess({ dir, home }: Place, base: Options) {
  const env = { ...makeEnvironment(dir), ...base.env }
  let present: ReturnType<typeof watch> | null = null
  let url = ''

  function run(args: string[], options: Options = {}): ChildProcess {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', entry]
    const [program = '', ...rest] = [...(options.wrap ?? base.wrap ?? []), ...node, ...args]
    return spawn(program, rest, { env: { ...env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  /** @returns how long it took until the ready line, in ms */
  async function start(options: Options = {}): Promise<number> {
    assert.equal(present, null, 'the platform runs already')
    env['VALKEEP_PORT'] ??= String(await freePort())
    const begun = performance.now()
    present = watch(run(['up', '--no-first', ...(base.flags ?? []), ...(options.flags ?? [])], options))
    const { text, ended: end } = present
    const early = end.then(({ stderr }) => assert.fail(`the platform ended: ${stderr}`))
    early.catch(() => undefined)
    const line = until(() => /^ready (\S+)$/m.exec(text.stdout)?.[1], 'the ready line', patienceMs)
    url = await Promise.race([line, early])
    return performance.now() - begun
  }

  /** Waits for the end of the platform, whoever ends it. */
  async function ended(timeoutMs = patienceMs): Promise<Ended> {
    assert.ok(present)
    const { child, text, ended: end } = present
    const over = () => child.exitCode !== null || child.signalCode !== null
    await until(over, () => `the platform to end; it said: ${text.stderr}`, timeoutMs)
    present = null
    return end
  }

  function signal(name: NodeJS.Signals): void {
    assert.ok(present?.child.kill(name))
  }

  async function kill9(): Promise<void> {
    signal('SIGKILL')
    await ended()
  }

  return {
    start,
    ended,
    signal,
    kill9,
    async restart(options: Options = {}): Promise<number> {
      await kill9()
      return start(options)
    },
    url: () => url,
    runs: () => present !== null,
    pid: () => present?.child.pid ?? assert.fail('no platform runs'),
    log: () => readFileSync(join(home, 'platform.log'), 'utf8'),
    /** Runs a command of the CLI against this data directory, to its end. */
    cli: (args: string[], options: Options = {}) => watch(run(args, options)).ended,
  }
}

/**
 * Makes the directory; nothing runs yet. Flags, environment and wrap given here hold for every start. `remove` at the
 * end, whatever happened.
 */
export function makeKillablePlatform(base: Options = {}) {
  const place = makePlace()
  const { dir, home, runtimeDir, serversDir } = place
  const platform = makeProcess(place, base)
  const { rows, serverOf } = makeStoreView(place)
  let caller: ReturnType<typeof makeCaller> | null = null
  const calls = makeCalls(() => {
    caller ??= makeCaller(platform.url(), readFileSync(join(home, 'admin.key'), 'utf8').trim())
    return caller
  })

  return {
    ...place,
    ...platform,
    ...calls,
    rows,
    serverOf,
    /** Pids of what runs in this data directory. */
    servers: () => processesIn(serversDir),
    /** Pids of what runs in an instance's directory. */
    serverPids: (instanceId: string) => processesIn(serverOf(instanceId).layout.dir),
    /** Ends everything, fails where anything is left, and removes the files. Safe after any failure. */
    async remove(): Promise<void> {
      const started = platform.url() !== ''
      if (platform.runs()) await platform.kill9()
      const held = started ? rows('select port from servers').map((row) => Number(row['port'])) : []
      const down = started ? await platform.cli(['down']) : undefined
      assertNothingLeft(dir)
      assert.equal(down?.code ?? 0, 0, down?.stderr)
      const listening = listeningPorts()
      const left = held.filter((port) => listening.has(port))
      assert.deepEqual(left, [], 'ports are left')
      if (started) assert.deepEqual(readdirSync(runtimeDir), [], 'sockets are left')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
