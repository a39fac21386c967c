/**
 * A real Kubernetes for one test: etcd, API server, controllers, scheduler, and nodes (a containerd and a kubelet each) with Services, DNS and
 * volumes, in namespaces of its own, everything it keeps in a temp directory. It reaches no registry and no network: images are imported.
 * NetworkPolicies are stored and not enforced: kube-policies.ts does it.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Asking, makeAsking } from './kube-asking.ts'
import * as config from './kube-config.ts'
import * as daemons from './kube-daemons.ts'
import { killAll, pidOfContainer, pidsOfNode } from './kube-processes.ts'
import { type Daemon, missingForNamespaces, type Namespaces, startNamespaces } from './namespaces.ts'
import { partsDir, valkeyBinaries } from './parts.ts'
import { until } from './until.ts'

export type KubeOptions = {
  /** Named node0, node1 and so on; 1 where nothing is said. */
  nodes?: number
  /** API server, controllers and scheduler only: enough for server-side dry runs, in a third of the time. */
  controlPlaneOnly?: boolean
  /** How long a node may say nothing before it is NotReady: 20 where nothing is said, 50 in a real cluster. */
  graceSeconds?: number
}

export type Kube = {
  /** Its last component names the cgroup of all its containers too. Gone after {@link Kube.stop}. */
  dir: string
  nodes: readonly string[]
  /** Of an administrator. It says an address that only programs run by {@link Kube.inside} reach. */
  kubeconfig: string
  /** To be laid over `process.env`: KUBECONFIG, helm's directories, PATH with kubectl and helm. */
  env: Readonly<Record<string, string>>
  /** The standard output of kubectl, without the last newline. Rejects with its standard error. */
  kubectl(...args: string[]): Promise<string>
  /** The same with a standard input: `kubectlWith(manifest, 'apply', '-f', '-')`. */
  kubectlWith(input: string, ...args: string[]): Promise<string>
  /** {@link Asking.get}, of what is looked at again and again: a kubectl for each look would keep a processor busy. */
  get: Asking['get']
  ask: Asking['ask']
  /** Like {@link Kube.kubectl}. */
  helm(...args: string[]): Promise<string>
  helmWith(input: string, ...args: string[]): Promise<string>
  /** Runs a program of this machine in the cluster's network, where pods, Services and the API are. Answers and rejects like {@link Kube.kubectl}. */
  inside(program: string, ...args: string[]): Promise<string>
  /** For `spawn`, with {@link Kube.env}: the same for a program that is to stay. The test ends it; it ends with the test's process at the latest. */
  command(program: string, ...args: string[]): [program: string, args: string[]]
  /**
   * Imports an image into every node.
   * @param image an archive as `docker save` writes it, or what writes one into the file it is given
   */
  importImage(image: string | ((file: string) => Promise<unknown>)): Promise<void>
  /** Makes an image like the official alpine one of this machine's Valkey, on every node. Rejects where that version is missing here. */
  valkeyImage(options?: { version?: '8.0' | '8.1' | '9'; tag?: string }): Promise<void>
  /** SIGKILL to a node's kubelet: to the cluster the node is lost, while its containers go on. */
  killKubelet(node: string): Promise<void>
  /** SIGKILL to everything of a node: kubelet, containerd, containers. */
  killNode(node: string): Promise<void>
  /** Starts again what {@link Kube.killKubelet} or {@link Kube.killNode} ended; the node is Ready a moment later. */
  startKubelet(node: string): Promise<void>
  /**
   * The pid, on this machine, of the first process of a pod's container.
   * @param container its first one where nothing is said
   */
  podPid(namespace: string, pod: string, container?: string): Promise<number>
  /** SIGKILL to that process: to the kubelet a crash. */
  killInPod(namespace: string, pod: string, container?: string): Promise<void>
  /** Ends it by SIGKILL and waits until nothing is left. Safe to call twice. */
  stop(): Promise<void>
}

const run = promisify(execFile)
const beside = (script: string) => fileURLToPath(new URL(script, import.meta.url))
const readyMs = 120_000

/**
 * Whether a Kubernetes can be started here. Where not, the test is skipped, loudly: return at once then. Under `CI=true` that is an error instead.
 */
export function requireKube(t: TestContext): boolean {
  const missing = missingForKube()
  if (missing === undefined) return true
  if (process.env['CI'] === 'true') throw new Error(missing)
  t.skip(missing)
  return false
}

function missingForKube(): string | undefined {
  for (const file of ['docker/bin/containerd', 'kube/versions', 'helm/version'])
    if (!existsSync(join(partsDir(), file)))
      return `the part ${dirname(file).split('/')[0]} is missing; sh scripts/setup.sh dev brings it`
  const missing = missingForNamespaces()
  return missing === undefined ? undefined : `a Kubernetes for tests takes namespaces: ${missing}`
}

function makeDir(): string {
  const template = join(tmpdir(), 'vkk-')
  // What sockaddr_un holds, with a little to spare.
  if (`${template}XXXXXX/node99/s`.length > 104)
    throw new Error(`the sockets' paths would be too long, set a shorter TMPDIR`)
  return mkdtempSync(template)
}

function environment(dir: string): Record<string, string> {
  const programs = ['kube', 'helm', 'docker'].map((part) => join(partsDir(), part, 'bin'))
  return {
    KUBECONFIG: config.kubeconfigOf(dir, 'admin'),
    KUBECACHEDIR: join(dir, 'kubectl'),
    HELM_CACHE_HOME: join(dir, 'helm', 'cache'),
    HELM_CONFIG_HOME: join(dir, 'helm', 'config'),
    HELM_DATA_HOME: join(dir, 'helm', 'data'),
    PATH: [...programs, process.env['PATH'] ?? '', '/usr/sbin', '/sbin'].join(':'),
  }
}

type Cluster = {
  dir: string
  env: Record<string, string>
  nodes: config.KubeNode[]
  graceSeconds: number
  space: Namespaces
  /** By name, without those that a test killed. */
  running: Map<string, Daemon>
}

async function call(cluster: Cluster, input: string, program: string, args: readonly string[]): Promise<string> {
  const [entering, all] = cluster.space.inNetwork(program, args)
  const answer = run(entering, all, { env: { ...process.env, ...cluster.env }, maxBuffer: 64 << 20 })
  // It may end before it has read everything; its exit code says what that means.
  answer.child.stdin?.on('error', () => {})
  answer.child.stdin?.end(input)
  return (await answer).stdout.replace(/\n$/, '')
}

const kubectl = (cluster: Cluster, ...args: string[]) => call(cluster, '', 'kubectl', args)

/** As a condition: whether a command succeeds by now. */
const works = (command: Promise<unknown>): Promise<boolean> =>
  command.then(
    () => true,
    () => false,
  )

const starter =
  (cluster: Cluster): Namespaces['startDaemon'] =>
  (name, program, args) => {
    const daemon = cluster.space.startDaemon(name, program, args)
    cluster.running.set(name, daemon)
    return daemon
  }

/** Waits for a condition that no daemon may end before. */
const waitFor = (cluster: Cluster, what: string, condition: () => Promise<boolean>) =>
  until(
    () => {
      const over = [...cluster.running.values()].find((daemon) => daemon.isOver())
      if (over !== undefined) throw new Error(`${over.name} ended`)
      return condition()
    },
    what,
    readyMs,
  )

const ctr = (node: config.KubeNode, cluster: Cluster, ...args: string[]) =>
  call(cluster, '', 'ctr', ['--address', node.socket, '--namespace', 'k8s.io', ...args])

async function startRuntimes(cluster: Cluster, nodes: readonly config.KubeNode[]): Promise<void> {
  for (const node of nodes) daemons.startContainerd(starter(cluster), node)
  for (const node of nodes)
    await waitFor(cluster, `containerd of ${node.name}`, () => works(ctr(node, cluster, 'version')))
}

const importInto = (cluster: Cluster, file: string) =>
  Promise.all(cluster.nodes.map((node) => ctr(node, cluster, 'images', 'import', file)))

async function importPause(cluster: Cluster): Promise<void> {
  const file = join(cluster.dir, 'pause.tar')
  await Promise.all([
    run('sh', [beside('./pause-image.sh'), config.PAUSE, file]),
    startRuntimes(cluster, cluster.nodes),
  ])
  await importInto(cluster, file)
}

async function startControlPlane(cluster: Cluster): Promise<void> {
  const start = starter(cluster)
  daemons.startEtcd(start, cluster.dir)
  daemons.startApiServer(start, cluster.dir)
  await waitFor(cluster, 'the API server', () => works(kubectl(cluster, 'get', '--raw', '/readyz')))
  daemons.startControllers(start, cluster.dir, cluster.graceSeconds)
  daemons.startScheduler(start, cluster.dir)
}

/** A pod is refused in a namespace whose service account is not there yet. */
const awaitControllers = (cluster: Cluster) =>
  waitFor(cluster, 'the controllers', () => works(kubectl(cluster, 'get', 'serviceaccount', 'default')))

async function startNodes(cluster: Cluster): Promise<void> {
  const start = starter(cluster)
  for (const node of cluster.nodes) daemons.startKubelet(start, cluster.dir, node)
  daemons.startProxy(start, cluster.dir)
  daemons.startDns(start, cluster.dir)
  const objects = JSON.stringify(config.storageObjects(cluster.nodes))
  await waitFor(cluster, 'the objects of volumes', () =>
    works(call(cluster, objects, 'kubectl', ['apply', '--server-side', '-f', '-'])),
  )
  daemons.startVolumes(start, cluster.dir)
}

async function awaitNodes(cluster: Cluster): Promise<void> {
  const names = cluster.nodes.map(({ name }) => `node/${name}`)
  // It fails at once where one is not there yet.
  const wait = () => kubectl(cluster, 'wait', '--for=condition=Ready', ...names, '--timeout=5s')
  await waitFor(cluster, 'the nodes', () => works(wait()))
  const dnsReady = `http://${config.CONTROL_PLANE}:8181/ready`
  await waitFor(cluster, 'DNS', () => works(call(cluster, '', 'busybox', ['wget', '-q', '-O', '-', dnsReady])))
}

async function bringUp(cluster: Cluster): Promise<void> {
  await Promise.all([startControlPlane(cluster), cluster.nodes.length > 0 && importPause(cluster)])
  if (cluster.nodes.length > 0) await startNodes(cluster)
  await awaitControllers(cluster)
  if (cluster.nodes.length > 0) await awaitNodes(cluster)
}

/** The last lines of every daemon's log. */
const logEnds = (dir: string): string =>
  readdirSync(join(dir, 'logs'))
    .map(
      (name) =>
        `${name}:\n${readFileSync(join(dir, 'logs', name), 'utf8')
          .split('\n')
          .slice(-8)
          .join('\n')}`,
    )
    .join('\n')

/**
 * Starts a cluster whose nodes are Ready, with a default StorageClass; ask {@link requireKube} first.
 * @throws Error with the end of every daemon's log where it does not come up
 */
export async function startKube(options: KubeOptions = {}): Promise<Kube> {
  const { nodes: count = 1, controlPlaneOnly = false, graceSeconds = 20 } = options
  const dir = makeDir()
  const env = environment(dir)
  const nodes = config.nodesOf(dir, controlPlaneOnly ? 0 : count)
  config.configureControlPlane(dir, nodes)
  config.configureNodes(dir, nodes, graceSeconds)
  const args = [config.CONTROL_PLANE, config.SERVICES, ...nodes.map(({ name, address }) => `${name}=${address}`)]
  const space = await startNamespaces(dir, { ...process.env, ...env }, beside('./kube.sh'), args)
  const cluster = { dir, env, nodes, graceSeconds, space, running: new Map<string, Daemon>() }
  try {
    await bringUp(cluster)
  } catch (error) {
    const logs = logEnds(dir)
    await space.end()
    throw new Error(`no Kubernetes, whose logs end:\n${logs}`, { cause: error })
  }
  return makeKube(cluster)
}

function makeKube(cluster: Cluster): Kube {
  const { dir, env, nodes, space } = cluster
  const importImage: Kube['importImage'] = async (image) => {
    if (typeof image === 'string') {
      await importInto(cluster, image)
      return
    }
    const file = join(dir, `image-${randomUUID()}.tar`)
    await image(file)
    await importInto(cluster, file)
    rmSync(file)
  }
  return {
    dir,
    nodes: nodes.map(({ name }) => name),
    kubeconfig: env['KUBECONFIG'] ?? '',
    env,
    kubectl: (...args) => call(cluster, '', 'kubectl', args),
    kubectlWith: (input, ...args) => call(cluster, input, 'kubectl', args),
    ...makeAsking(space, { kubeconfig: config.kubeconfigOf(dir, 'admin'), dns: config.CONTROL_PLANE }),
    helm: (...args) => call(cluster, '', 'helm', args),
    helmWith: (input, ...args) => call(cluster, input, 'helm', args),
    inside: (program, ...args) => call(cluster, '', program, args),
    command: (program, ...args) => space.inNetwork(program, args),
    importImage,
    async valkeyImage({ version = '8.0', tag = 'valkey/valkey:8-alpine' } = {}) {
      const server = valkeyBinaries().find((binary) => binary.version === version)?.path
      if (server === undefined) throw new Error(`the part valkey-${version} is missing`)
      await importImage((file) => run('sh', [beside('./valkey-image.sh'), dirname(server), tag, file]))
    },
    ...nodeFaults(cluster),
    ...podFaults(cluster),
    async stop() {
      await space.end()
    },
  }
}

function nodeFaults(cluster: Cluster): Pick<Kube, 'killKubelet' | 'killNode' | 'startKubelet'> {
  const kill = async (name: string): Promise<void> => {
    await cluster.running.get(name)?.kill()
    cluster.running.delete(name)
  }
  return {
    killKubelet: (node) => kill(`kubelet-${node}`),
    async killNode(node) {
      await kill(`kubelet-${node}`)
      await kill(`containerd-${node}`)
      await until(() => {
        const pids = pidsOfNode(cluster.dir, node)
        killAll(pids)
        return pids.length === 0
      }, `the processes of ${node} to end`)
    },
    async startKubelet(name) {
      const node = cluster.nodes.find((one) => one.name === name)
      if (node === undefined) throw new Error(`there is no node ${name}`)
      if (!cluster.running.has(`containerd-${name}`)) await startRuntimes(cluster, [node])
      daemons.startKubelet(starter(cluster), cluster.dir, node)
    },
  }
}

type PodStatus = { status: Record<string, { name: string; containerID?: string }[] | undefined> }

function podFaults(cluster: Cluster): Pick<Kube, 'podPid' | 'killInPod'> {
  const podPid: Kube['podPid'] = async (namespace, pod, container) => {
    const { status } = JSON.parse(await kubectl(cluster, '-n', namespace, 'get', 'pod', pod, '-o', 'json')) as PodStatus
    const all = [...(status['containerStatuses'] ?? []), ...(status['initContainerStatuses'] ?? [])]
    const id = all
      .find(({ name }) => container === undefined || name === container)
      ?.containerID?.replace(/^.*:\/\//, '')
    const pid = id === undefined ? undefined : pidOfContainer(cluster.dir, id)
    if (pid === undefined) throw new Error(`container ${container ?? 'of'} ${namespace}/${pod} does not run`)
    return pid
  }
  return {
    podPid,
    async killInPod(...which) {
      killAll([await podPid(...which)])
    },
  }
}
