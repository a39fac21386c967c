/** How each daemon of a test's Kubernetes is started. The configuration is that of `kube-config.ts`. */
import { join } from 'node:path'
import { CONTROL_PLANE, type KubeNode, kubeconfigOf, PAUSE, SERVICES } from './kube-config.ts'
import type { Daemon, Namespaces } from './namespaces.ts'

type Start = Namespaces['startDaemon']

const ETCD = 'http://127.0.0.1:2379'

/** What is written need not survive the machine. */
export const startEtcd = (start: Start, dir: string): Daemon =>
  start('etcd', 'etcd', [
    `--data-dir=${join(dir, 'etcd')}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
  ])

/** With every admission plugin that is on by default, PodSecurity among them. It waits for etcd itself. */
export const startApiServer = (start: Start, dir: string): Daemon =>
  start('kube-apiserver', 'kube-apiserver', [
    `--etcd-servers=${ETCD}`,
    `--bind-address=${CONTROL_PLANE}`,
    `--advertise-address=${CONTROL_PLANE}`,
    '--secure-port=6443',
    `--cert-dir=${join(dir, 'pki')}`,
    `--token-auth-file=${join(dir, 'pki', 'tokens.csv')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged',
    `--service-cluster-ip-range=${SERVICES}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(dir, 'pki', 'sa.key')}`,
    `--service-account-signing-key-file=${join(dir, 'pki', 'sa.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
  ])

const asClient = (dir: string, client: string) => {
  const file = kubeconfigOf(dir, client)
  return [`--kubeconfig=${file}`, `--authentication-kubeconfig=${file}`, `--authorization-kubeconfig=${file}`]
}

/**
 * Each controller asks for a service account and a token first: at the default 20 requests a second that alone takes 5 s.
 * @param graceSeconds how long a node may say nothing before it is NotReady
 */
export const startControllers = (start: Start, dir: string, graceSeconds: number): Daemon =>
  start('kube-controller-manager', 'kube-controller-manager', [
    ...asClient(dir, 'controllers'),
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
    '--use-service-account-credentials',
    '--kube-api-qps=200',
    '--kube-api-burst=400',
    `--service-account-private-key-file=${join(dir, 'pki', 'sa.key')}`,
    `--root-ca-file=${join(dir, 'pki', 'apiserver.crt')}`,
    '--node-monitor-period=2s',
    `--node-monitor-grace-period=${graceSeconds}s`,
  ])

export const startScheduler = (start: Start, dir: string): Daemon =>
  start('kube-scheduler', 'kube-scheduler', [
    ...asClient(dir, 'scheduler'),
    '--bind-address=127.0.0.1',
    '--leader-elect=false',
  ])

export const startContainerd = (start: Start, node: KubeNode): Daemon =>
  start(`containerd-${node.name}`, 'containerd', ['--config', join(node.dir, 'containerd.toml'), '--log-level=warn'])

export const startKubelet = (start: Start, dir: string, node: KubeNode): Daemon =>
  start(`kubelet-${node.name}`, 'kubelet', [
    `--config=${join(node.dir, 'kubelet.json')}`,
    `--kubeconfig=${kubeconfigOf(dir, node.name)}`,
    `--root-dir=${join(node.dir, 'kubelet')}`,
    `--cert-dir=${join(node.dir, 'pki')}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
  ])

/** One for all nodes, as they share one network. The machine's conntrack table stays as it is. */
export const startProxy = (start: Start, dir: string): Daemon =>
  start('kube-proxy', 'kube-proxy', [
    `--kubeconfig=${kubeconfigOf(dir, 'proxy')}`,
    '--proxy-mode=iptables',
    '--hostname-override=node0',
    '--conntrack-max-per-core=0',
    '--conntrack-tcp-timeout-established=0',
    '--conntrack-tcp-timeout-close-wait=0',
    '--oom-score-adj=0',
  ])

export const startDns = (start: Start, dir: string): Daemon =>
  start('coredns', 'coredns', ['-conf', join(dir, 'Corefile')])

export const startVolumes = (start: Start, dir: string): Daemon =>
  start('local-path-provisioner', 'local-path-provisioner', [
    'start',
    `--config=${join(dir, 'local-path.json')}`,
    '--configmap-name=local-path',
    '--namespace=kube-system',
    '--service-account-name=default',
    '--provisioner-name=rancher.io/local-path',
    `--helper-pod-file=${join(dir, 'helper-pod.json')}`,
    `--helper-image=${PAUSE}`,
    `--kubeconfig=${kubeconfigOf(dir, 'admin')}`,
  ])
