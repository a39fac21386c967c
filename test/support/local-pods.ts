/**
 * Pods without Kubernetes: each has a network namespace with an address on a bridge, its containers have pids and mounts of their own, and names are
 * asked of a DNS server. It takes no root: whoever is not root is it in a user namespace. Everything ends with the test's process at the latest.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { shellQuote } from '../../src/domain/shell-quote.ts'
import { requireHelm } from './chart.ts'
import { CONTAINER_PATH, makeRoot, type Mount, type Programs } from './local-root.ts'
import { type Daemon, enter, type Namespaces, startNamespaces, tryInNamespaces } from './namespaces.ts'
import { requirePart } from './parts.ts'
import { networksOf, NO_TRACES, traces } from './traces.ts'
import { until } from './until.ts'

export type ContainerOptions = { name: string; command: string[]; env: Record<string, string>; mounts: Mount[] }
export type PodOptions = {
  /** As HOSTNAME tells it. */
  name: string
  /** What DNS answers with its address, as long as it is there. */
  names: string[]
  /** Of its resolv.conf, beside what each has: `timeout:1`. */
  dnsOptions: string[]
  containers: ContainerOptions[]
  /** Its containers are not started again where they end, and it ends with them. */
  once?: boolean
}

export type LocalPod = {
  name: string
  isOver(): boolean
  /** Standard output of a program in a container, with its environment, without the last newline. Rejects with what it says. */
  exec(container: string, ...command: string[]): Promise<string>
  /** Everything that a container has said, over all its lives. */
  log(container: string): string
  /** The exit code of a container that has ended. */
  code(container: string): number
  /**
   * SIGTERM to the first process of every container, none of which is started again; waits until the pod is gone.
   * @param hooks commands by container, run in it before that
   */
  terminate(hooks: Readonly<Record<string, string[]>>): Promise<void>
  /** SIGKILL to all of it at once. */
  kill(): Promise<void>
}

export type LocalPods = {
  dir: string
  /** Directory of what outlives pods: a {@link Mount} from below it need not be there. From outside nothing is seen in it. */
  claims: string
  /** As {@link Kube.command}: a program of this machine in the pods' network. */
  command(program: string, ...args: string[]): [program: string, args: string[]]
  env: Readonly<Record<string, string>>
  /** Address of the DNS server. */
  dns: string
  /** Resolves once its containers run. */
  startPod(options: PodOptions): Promise<LocalPod>
  /** From now on DNS loses the first questions of each pod for a name that does not exist. */
  loseQuestions(): void
  /** Ends everything by SIGKILL and waits until nothing is left. Safe to call twice. */
  stop(): Promise<void>
}

const run = promisify(execFile)
const script = fileURLToPath(new URL('./local-pods.sh', import.meta.url))
const dnsProgram = fileURLToPath(new URL('./local-dns.ts', import.meta.url))

/** Of the bridge, where DNS answers too. */
const BRIDGE = '10.0.0.1'
const addressOf = (nth: number): string => `10.0.${nth >> 8}.${nth & 255}`

const trial =
  'busybox mount -t proc proc /proc && busybox ip link add name b type bridge && busybox ip link add name v type veth'
const allow = [
  'user.max_user_namespaces=10000',
  'kernel.unprivileged_userns_clone=1',
  'kernel.apparmor_restrict_unprivileged_userns=0',
]

/** What pods are made of. Where something is missing the test is skipped, loudly: return at once then. Under `CI=true` that is an error. */
export function requireLocalPods(t: TestContext): Programs | undefined {
  const [busybox, server, cli] = [requirePart(t, 'busybox'), requirePart(t, 'valkey-8.0'), requirePart(t, 'valkey-cli')]
  if (busybox === undefined || server === undefined || cli === undefined || !requireHelm(t)) return undefined
  const said = tryInNamespaces('sh', '-c', trial)
  if (said === undefined) return { busybox, server, cli }
  const known = allow.filter((setting) => existsSync(`/proc/sys/${setting.replace(/=.*/, '').replaceAll('.', '/')}`))
  const help = known.length > 0 ? `; where that is forbidden, root allows it: sysctl -w ${known.join(' ')}` : ''
  const missing = `pods without Kubernetes take namespaces of Linux: ${said}${help}`
  if (process.env['CI'] === 'true') throw new Error(missing)
  t.skip(missing)
  return undefined
}

/** Pods for all tests of a file, started by the first one; after the last nothing of them may be left. @returns undefined where there can be none */
export function sharedLocalPods(): (t: TestContext) => Promise<LocalPods | undefined> {
  let started: Promise<LocalPods> | undefined
  after(async () => {
    const pods = await started
    if (pods === undefined) return
    const networks = networksOf(pods.dir)
    assert.ok(networks.length > 0)
    await pods.stop()
    assert.deepEqual(traces(pods.dir, networks), NO_TRACES)
  })
  return async (t) => {
    const programs = requireLocalPods(t)
    return programs === undefined ? undefined : await (started ??= startLocalPods(programs))
  }
}

type Network = {
  dir: string
  space: Namespaces
  dns: Daemon
  /** What every container has. */
  system: Mount[]
  /** Lines for DNS, by pod. */
  names: Map<string, string[]>
  /** Addresses that were given out; none is given twice. */
  count: number
}

/** Ask {@link requireLocalPods} first. @throws Error with the end of a log where it does not come up */
export async function startLocalPods(programs: Programs): Promise<LocalPods> {
  const dir = mkdtempSync(join(tmpdir(), 'vkl-'))
  for (const name of ['logs', 'pods', 'root', 'claims']) mkdirSync(join(dir, name))
  const system = makeRoot(join(dir, 'root'), programs)
  const space = await startNamespaces(dir, process.env, script, [BRIDGE])
  const dns = space.startDaemon('dns', process.execPath, [
    '--disable-warning=ExperimentalWarning',
    dnsProgram,
    BRIDGE,
    join(dir, 'names'),
  ])
  // Scripts tell by its name whether DNS answers at all.
  const names = new Map([['', [`kubernetes.default.svc.cluster.local ${BRIDGE}`]]])
  const network: Network = { dir, space, dns, system, names, count: 1 }
  publish(network)
  try {
    await until(() => logOf(network, 'dns') !== '' || dns.isOver(), 'DNS')
  } catch (error) {
    await space.end()
    throw error
  }
  return {
    dir,
    claims: join(dir, 'claims'),
    env: {},
    dns: BRIDGE,
    command: (program, ...args) => space.inNetwork(program, args),
    startPod: (options) => startPod(network, options),
    loseQuestions: () => writeFileSync(join(dir, 'names.lossy'), ''),
    async stop() {
      await space.end()
    },
  }
}

const logOf = ({ dir }: Network, daemon: string): string => readFileSync(join(dir, 'logs', daemon), 'utf8')

/** Whole at any moment: it is read at each question. */
function publish({ dir, names }: Network): void {
  const file = join(dir, 'names')
  writeFileSync(`${file}.new`, `${[...names.values()].flat().join('\n')}\n`)
  renameSync(`${file}.new`, file)
}

async function startPod(network: Network, options: PodOptions): Promise<LocalPod> {
  const { name, containers } = options
  if (network.dns.isOver()) throw new Error(`no DNS: ${logOf(network, 'dns')}`)
  const place = join(network.dir, 'pods', name)
  writePod(network, place, options)
  const address = addressOf(++network.count)
  const lines = options.names.map((one) => `${one} ${address}`)
  network.names.set(name, lines)
  publish(network)
  const words = ['--net', 'sh', script, network.dir, 'pod', name, address]
  const daemon = network.space.startDaemon(name, 'unshare', words)
  const started = () => containers.every((container) => pidOf(place, container.name) !== '')
  const shown = () => `pod ${name}: ${logOf(network, name)}`
  await until(() => started() || daemon.isOver(), shown)
  if (!started()) throw new Error(`no ${shown()}`)
  const forget = () => {
    // Another one has the name where this was started again.
    if (network.names.get(name) === lines) network.names.delete(name)
    publish(network)
  }
  return makePod({ place, options, daemon, forget })
}

/** As the kubelet writes it, for the namespace that test/support/chart.ts renders for. */
function resolvConf(options: string[]): string {
  const search = 'strict.svc.cluster.local svc.cluster.local cluster.local'
  return `search ${search}\nnameserver ${BRIDGE}\noptions ${['ndots:5', ...options].join(' ')}\n`
}

/** Everything that local-pods.sh reads of a pod, in place of what is there of one before. */
function writePod({ dir, system }: Network, place: string, options: PodOptions): void {
  const { containers, name: host, dnsOptions, once = false } = options
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  const resolv: Mount = { from: join(place, 'resolv.conf'), to: '/etc/resolv.conf' }
  writeFileSync(resolv.from, resolvConf(dnsOptions))
  for (const { name, command, env, mounts } of containers) {
    for (const { to } of mounts) mkdirSync(join(dir, 'root', to), { recursive: true })
    const volumes = [...system, resolv, ...mounts].map(
      ({ from, to, readOnly }) => `volume ${shellQuote(from)} ${shellQuote(to)}${readOnly === true ? ' ro' : ''}`,
    )
    const words = ['env', '-i', ...environment(host, env), ...command].map(shellQuote)
    const container = join(place, 'containers', name)
    mkdirSync(container, { recursive: true })
    writeFileSync(join(container, 'container'), `${volumes.join('\n')}\nset -- ${words.join(' ')}\n`)
    writeFileSync(join(container, 'log'), '')
  }
  if (once) writeFileSync(join(place, 'once'), '')
}

/** Of a container's first process, as seen from outside; nothing as long as there is none. */
function pidOf(place: string, container: string): string {
  const file = join(place, 'containers', container, 'pid')
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

const environment = (host: string, env: Record<string, string>): string[] =>
  Object.entries({ PATH: CONTAINER_PATH, HOME: '/', HOSTNAME: host, ...env }).map(([name, value]) => `${name}=${value}`)

type Started = { place: string; options: PodOptions; daemon: Daemon; forget: () => void }

function makePod({ place, options, daemon, forget }: Started): LocalPod {
  const { name, containers } = options
  const fileOf = (container: string, file: string) => readFileSync(join(place, 'containers', container, file), 'utf8')
  const exec: LocalPod['exec'] = async (container, ...command) => {
    const env = containers.find((one) => one.name === container)?.env ?? {}
    const words = ['-i', ...environment(name, env), ...command]
    const { stdout } = await run(...enter(pidOf(place, container), ['--net', '--mount', '--pid'], 'env', words))
    return stdout.replace(/\n$/, '')
  }
  return {
    name,
    isOver: daemon.isOver,
    exec,
    log: (container) => fileOf(container, 'log'),
    code: (container) => Number(fileOf(container, 'code')),
    async terminate(hooks) {
      const end = async (container: string) => {
        const hook = hooks[container]
        if (hook !== undefined) await exec(container, ...hook)
        writeFileSync(join(place, 'containers', container, 'ending'), '')
        const pid = pidOf(place, container)
        // One that is down just now has nothing to end.
        if (existsSync(`/proc/${pid || 'none'}`)) process.kill(Number(pid), 'SIGTERM')
      }
      await Promise.all(containers.map((container) => end(container.name)))
      await until(daemon.isOver, `pod ${name} to end`, 60_000)
      forget()
    },
    async kill() {
      const first = readFileSync(join(place, 'pid'), 'utf8').trim()
      await daemon.kill()
      // The kernel ends the others with it.
      await until(() => !existsSync(`/proc/${first}`), `the processes of pod ${name} to end`)
      forget()
    },
  }
}
