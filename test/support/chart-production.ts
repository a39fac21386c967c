/**
 * Both values files for production as releases, in pods whose network policies are enforced, with pods of others around them. Over the files lies only
 * what a test's Kubernetes lacks: memory, processors and disk, six nodes, and a cert-manager, whose certificate is issued here for exactly what the
 * chart asks of it. Beside them a release without TLS and with the policy's own defaults.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createAuthority, type Issuer, makeIssuer } from '../../src/vault/authority.ts'
import { chartFile, defaultValues, type Values } from './chart.ts'
import { formed } from './chart-cluster.ts'
import { makeKinds } from './chart-kinds.ts'
import { installChart, type Release } from './chart-release.ts'
import { importCurl, onePrimary } from './chart-replicas.ts'
import { startWriter, type Writer } from './chart-writes.ts'
import type { Kube } from './kube.ts'
import { CONTROL_PLANE } from './kube-config.ts'
import { type Enforcer, enforcePolicies } from './kube-policies.ts'
import { type Place, reached, startProbes } from './probe-pods.ts'

/** What the secret valkey-password holds. */
export const PASSWORD = 'correct-horse-battery'

/** The Service of the API server. */
export const API = '10.96.0.1:443'

/** What a laptop has. The delay after a save is for load balancers, which are none here. */
export const small = [
  'resources.requests.cpu=20m,resources.requests.memory=64Mi,resources.limits.memory=256Mi',
  'persistence.size=64Mi,lifecycle.preStop.delay=1',
].join(',')

/** The pods around: an application, one beside it, one that is like it in another namespace, one that answers, and a Prometheus. */
export const app: Place = { namespace: 'apps', pod: 'app' }
export const stranger: Place = { namespace: 'apps', pod: 'stranger' }
export const elsewhere: Place = { namespace: 'elsewhere', pod: 'app' }
export const listener: Place = { namespace: 'elsewhere', pod: 'listener' }
export const prometheus: Place = { namespace: 'monitoring', pod: 'prometheus' }

const client = { 'valkey-client': 'true' }
const namespaces = { apps: client, elsewhere: {}, monitoring: {} }
const probes = [
  { namespace: 'apps', name: 'app', labels: client },
  { namespace: 'apps', name: 'stranger' },
  { namespace: 'elsewhere', name: 'app', labels: client },
  { namespace: 'elsewhere', name: 'listener', listens: [8080, 6443] },
  { namespace: 'monitoring', name: 'prometheus' },
]

export const plainValues: Values = {
  architecture: 'standalone',
  auth: { autoGenerate: true },
  networkPolicy: { enabled: true },
  metrics: { enabled: true },
}

export type World = {
  kube: Kube
  enforcer: Enforcer
  /** values-overrides-cluster.yaml */
  sharded: Release
  /** values-overrides-standalone.yaml */
  pair: Release
  plain: Release
  /** File of the CA that both have their certificates from. */
  ca: string
}

const run = promisify(execFile)
const script = (name: string) => fileURLToPath(new URL(name, import.meta.url))

async function importImages(kube: Kube, exporter: string): Promise<void> {
  await kube.valkeyImage()
  await importCurl(kube)
  const { repository, tag } = (defaultValues()['metrics'] as { image: { repository: string; tag: string } }).image
  const { stdout, stderr } = await run(exporter, ['--version'])
  assert.ok(
    `${stdout}${stderr}`.includes(`Exporter ${tag.slice(1)}-`),
    `the part monitoring is another one than ${tag}`,
  )
  const image = `docker.io/${repository}:${tag}`
  await kube.importImage((file) => run('sh', [script('./exporter-image.sh'), exporter, image, file]))
}

type Certificate = {
  spec: { secretName: string; dnsNames: string[]; ipAddresses: string[]; issuerRef: { name: string } }
}

/** What a person brings beside the file: the password, and cert-manager. */
async function bringSecrets(kube: Kube, release: Release, issuer: Issuer, ca: string): Promise<void> {
  const { spec } = JSON.parse(await release.kubectl('get', 'certificate', release.set, '-o', 'json')) as Certificate
  assert.equal(spec.issuerRef.name, 'valkey-ca')
  const { certPem, keyPem } = await issuer.issue({
    subject: [{ type: 'CN', value: 'valkey' }],
    dnsNames: spec.dnsNames,
    ipAddresses: spec.ipAddresses,
    now: new Date(),
    days: 30,
  })
  const secret = (name: string, stringData: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: release.namespace },
    stringData,
  })
  const items = [
    secret(spec.secretName, { 'tls.crt': certPem, 'tls.key': keyPem, 'ca.crt': readFileSync(ca, 'utf8') }),
    secret('valkey-password', { password: PASSWORD }),
  ]
  await kube.kubectlWith(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 'apply', '-f', '-')
}

/**
 * Resolves once all pods are Ready, the cluster is formed and the Services of the replication lead where they should.
 * @param exporter the program of the exporter's image
 */
export async function startProduction(kube: Kube, exporter: string): Promise<World> {
  await importImages(kube, exporter)
  const authority = await createAuthority({
    subject: [{ type: 'CN', value: 'valkey-ca' }],
    notBefore: new Date(Date.now() - 60_000),
    days: 60,
  })
  const issuer = await makeIssuer(authority)
  const ca = join(kube.dir, 'ca.crt')
  writeFileSync(ca, authority.certPem)
  writeFileSync(join(kube.dir, 'password'), PASSWORD)
  await makeKinds(kube)
  const enforcer = await enforcePolicies(kube)
  const install = (name: string, values: Values | string, more = '') =>
    installChart(kube, { name, values, args: ['--set', `${small}${more}`] })
  const sharded = await install('sharded', chartFile('values-overrides-cluster.yaml'), ',podAntiAffinity=soft')
  await bringSecrets(kube, sharded, issuer, ca)
  const pair = await install('pair', chartFile('values-overrides-standalone.yaml'))
  await bringSecrets(kube, pair, issuer, ca)
  const plain = await install('plain', plainValues)
  await startProbes(kube, namespaces, probes)
  await Promise.all([sharded.ready(6), pair.ready(3), plain.ready(1)])
  await formed(sharded, 6, 3)
  await onePrimary(pair, 3)
  return { kube, enforcer, sharded, pair, plain, ca }
}

const ports = { tls: 6380, plain: 6379, bus: 16_380, sentinel: 26_379, metrics: 9121 }

/** How many pods of each release take a connection from a place, by `RELEASE:PORT`; its own pod is left out. */
export async function openTo(world: World, from: Place): Promise<Record<string, number>> {
  const targets = new Map<string, string>()
  for (const release of [world.sharded, world.pair, world.plain])
    for (const { metadata, status } of await release.pods())
      if (metadata.name !== from.pod)
        for (const port of Object.values(ports)) targets.set(`${status.podIP}:${port}`, `${release.name}:${port}`)
  const counts: Record<string, number> = {}
  for (const target of await reached(world.kube, from, [...targets.keys()])) {
    const name = targets.get(target) ?? target
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

export const inPod = (release: Release, pod: number): Place => ({
  namespace: release.namespace,
  pod: `${release.set}-${pod}`,
  container: 'valkey',
})

/** valkey-cli in a probe's pod, with TLS and a password. @returns errors too */
export function cli(world: World, from: Place, host: string, password: string, ...words: string[]): Promise<string> {
  const arrives = 'a=$1 h=$2; shift 2; cat >/tmp/ca.crt; '
  const asks = 'REDISCLI_AUTH=$a timeout 4 valkey-cli -h "$h" -p 6380 --tls --cacert /tmp/ca.crt -c "$@" 2>&1'
  const inside = ['exec', '-i', from.pod, '--', 'sh', '-c', `${arrives}${asks}`, 'sh', password, host, ...words]
  return world.kube.kubectlWith(readFileSync(world.ca, 'utf8'), '-n', from.namespace, ...inside)
}

/** One into each of both, through their Services. They are in no pod: the policies do not see them. */
export function startWriters({ kube, ca, sharded, pair }: World): Promise<[sharded: Writer, pair: Writer]> {
  const common = { port: ports.tls, dns: CONTROL_PLANE, ca, passwordFile: join(kube.dir, 'password') }
  const hosts = [`${sharded.set}.${sharded.namespace}.svc.cluster.local`]
  return Promise.all([
    startWriter(kube, { ...common, mode: 'cluster', hosts }),
    startWriter(kube, { ...common, mode: 'plain', hosts: pair.hosts('plain') }),
  ])
}
