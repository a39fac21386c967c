/** What the daemons of a test's Kubernetes read: written once, all of it below the cluster's directory. JSON is YAML too. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { partsDir } from './parts.ts'

/** Where the API server, etcd and DNS listen, in the cluster's own network. */
export const CONTROL_PLANE = '10.99.0.1'
export const SERVICES = '10.96.0.0/16'
const PODS = '10.244.0.0/16'

/** The image that holds a pod's namespaces; a busybox, which local-path-provisioner uses as well. */
export const PAUSE = 'localhost/pause:1'

export type KubeNode = { name: string; address: string; dir: string; socket: string }

/** The nodes of a cluster in `dir`, named node0, node1 and so on. */
export const nodesOf = (dir: string, count: number): KubeNode[] =>
  Array.from({ length: count }, (_, index) => {
    const name = `node${index}`
    return { name, address: `10.99.0.${10 + index}`, dir: join(dir, name), socket: join(dir, name, 's') }
  })

const writeJson = (file: string, value: unknown): void => writeFileSync(file, `${JSON.stringify(value, null, 1)}\n`)

/** The file that a client of the API server is started with; {@link configureControlPlane} writes one for each of {@link clientsOf}. */
export const kubeconfigOf = (dir: string, client: string): string => join(dir, `${client}.kubeconfig`)

/** [name of its kubeconfig, user, group] */
const clientsOf = (nodes: readonly KubeNode[]): [name: string, user: string, group: string][] => [
  ['admin', 'admin', 'system:masters'],
  ['controllers', 'system:kube-controller-manager', ''],
  ['scheduler', 'system:kube-scheduler', ''],
  ['proxy', 'system:kube-proxy', ''],
  ...nodes.map(({ name }): [string, string, string] => [name, `system:node:${name}`, 'system:nodes']),
]

const kubeconfig = (dir: string, token: string) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [
    {
      name: 'test',
      // The API server makes itself a certificate there, for its address and its names as a Service.
      cluster: { server: `https://${CONTROL_PLANE}:6443`, 'certificate-authority': join(dir, 'pki', 'apiserver.crt') },
    },
  ],
  users: [{ name: 'test', user: { token } }],
  contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  'current-context': 'test',
})

/** Writes the credentials of every client and the key that service accounts' tokens are signed with. */
export function configureControlPlane(dir: string, nodes: readonly KubeNode[]): void {
  for (const child of ['pki', 'logs', 'helm']) mkdirSync(join(dir, child))
  const format = { type: 'sec1', format: 'pem' } as const
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: format,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  writeFileSync(join(dir, 'pki', 'sa.key'), privateKey, { mode: 0o600 })
  const tokens = clientsOf(nodes).map(([name, user, group]) => {
    const token = randomBytes(16).toString('hex')
    writeJson(kubeconfigOf(dir, name), kubeconfig(dir, token))
    return `${token},${user},${user},"${group}"\n`
  })
  writeFileSync(join(dir, 'pki', 'tokens.csv'), tokens.join(''), { mode: 0o600 })
}

const containerd = (dir: string, node: KubeNode): string => `version = 2
root = "${node.dir}/containerd"
state = "/run/${node.name}"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "${node.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  # A machine may let its root lower nothing, and its profiles are not ours to load.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${join(partsDir(), 'kube', 'cni')}"
    conf_dir = "${join(dir, 'cni')}"
`

/** One range of addresses for all nodes: the network is one. */
const cni = (dir: string) => {
  const ipam = { type: 'host-local', dataDir: join(dir, 'ipam'), ranges: [[{ subnet: PODS }]] }
  return {
    cniVersion: '0.4.0',
    name: 'test',
    plugins: [
      { type: 'ptp', ipMasq: false, ipam: { ...ipam, routes: [{ dst: '0.0.0.0/0' }] } },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  }
}

const kubelet = (dir: string, node: KubeNode, graceSeconds: number) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: node.address,
  healthzBindAddress: node.address,
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
  containerRuntimeEndpoint: `unix://${node.socket}`,
  nodeLeaseDurationSeconds: Math.ceil(graceSeconds * 0.8),
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${basename(dir)}/${node.name}`,
  failCgroupV1: false,
  failSwapOn: false,
  enforceNodeAllocatable: [],
  oomScoreAdj: 0,
  clusterDNS: [CONTROL_PLANE],
  clusterDomain: 'cluster.local',
  resolvConf: '',
  podLogsDir: join(node.dir, 'logs'),
  volumePluginDir: join(node.dir, 'plugins'),
  // A changed Secret or ConfigMap shows in its volume after this long, not after a minute.
  syncFrequency: '10s',
  // The machine's disk and memory are not the test's to judge, and an image that is gone cannot be pulled again.
  imageMinimumGCAge: '24h',
  imageGCHighThresholdPercent: 100,
  evictionHard: { 'memory.available': '64Mi', 'nodefs.available': '0%', 'imagefs.available': '0%' },
})

const corefile = (dir: string): string => `.:53 {
  bind ${CONTROL_PLANE}
  errors
  ready ${CONTROL_PLANE}:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfigOf(dir, 'admin')} test
    ttl 1
  }
}
`

/** Each node's volumes are its own: a claim stays where its first pod ran. */
const localPath = (nodes: readonly KubeNode[]) => {
  const paths = nodes.map(({ name, dir }) => ({ node: name, paths: [join(dir, 'volumes')] }))
  return { nodePathMap: paths }
}

const helperPod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'helper-pod' },
  spec: { containers: [{ name: 'helper-pod', image: PAUSE }] },
}

/** The namespaced parts of local-path-provisioner and the default StorageClass, to be created once. */
export const storageObjects = (nodes: readonly KubeNode[]) => ({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'local-path', namespace: 'kube-system' },
      data: {
        'config.json': JSON.stringify(localPath(nodes)),
        setup: 'mkdir -m 0777 -p "$VOL_DIR"',
        teardown: 'rm -rf "$VOL_DIR"',
        'helperPod.yaml': JSON.stringify(helperPod),
      },
    },
    {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'rancher.io/local-path',
      volumeBindingMode: 'WaitForFirstConsumer',
    },
  ],
})

/** Writes what the nodes' daemons, DNS and volumes are started with. */
export function configureNodes(dir: string, nodes: readonly KubeNode[], graceSeconds: number): void {
  mkdirSync(join(dir, 'cni'))
  writeJson(join(dir, 'cni', 'test.conflist'), cni(dir))
  writeFileSync(join(dir, 'Corefile'), corefile(dir))
  writeJson(join(dir, 'local-path.json'), localPath(nodes))
  writeJson(join(dir, 'helper-pod.json'), helperPod)
  for (const node of nodes) {
    mkdirSync(node.dir)
    writeFileSync(join(node.dir, 'containerd.toml'), containerd(dir, node))
    writeJson(join(node.dir, 'kubelet.json'), kubelet(dir, node, graceSeconds))
  }
}
