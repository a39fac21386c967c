/** The Kubernetes of the tests is a real one, and leaves nothing of itself on the machine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, type TestContext, test } from 'node:test'
import { type Kube, requireKube, startKube } from '../support/kube.ts'
import { NO_TRACES, networksOf, traces } from '../support/traces.ts'
import { until } from '../support/until.ts'

const patienceMs = 90_000
const image = 'valkey/valkey:8-alpine'

const objects = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 64Mi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache}
spec:
  strategy: {type: Recreate}
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec:
      containers:
        - name: valkey
          image: ${image}
          args: [--protected-mode, 'no', --appendonly, 'yes']
          readinessProbe: {exec: {command: [valkey-cli, ping]}, periodSeconds: 1}
          volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: Service
metadata: {name: cache}
spec: {selector: {app: cache}, ports: [{port: 6379}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: client, image: '${image}', command: [sleep, '600']}]
`

const privileged = (namespace: string) => `
apiVersion: v1
kind: Pod
metadata: {name: rude, namespace: ${namespace}}
spec: {containers: [{name: rude, image: '${image}', securityContext: {privileged: true}}]}
`

async function refusesPrivileged(kube: Kube): Promise<void> {
  await kube.kubectl('create', 'namespace', 'strict')
  await kube.kubectl('label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted')
  const dryRun = (manifest: string) => kube.kubectlWith(manifest, 'apply', '--dry-run=server', '-f', '-')
  await until(
    () => dryRun(privileged('strict')).catch((error: Error) => error.message.includes('violates PodSecurity')),
    'the refusal of a privileged pod',
  )
  assert.equal(await dryRun(privileged('default')), 'pod/rude created (server dry run)')
}

/** A chart of one ConfigMap, that says what it was installed with. */
function writeChart(dir: string): string {
  const chart = join(dir, 'chart')
  mkdirSync(join(chart, 'templates'), { recursive: true })
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: greeting\nversion: 1.0.0\n')
  writeFileSync(join(chart, 'values.yaml'), 'text: nothing\n')
  writeFileSync(
    join(chart, 'templates', 'greeting.yaml'),
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\ndata: {text: {{ .Values.text | quote }}}\n',
  )
  return chart
}

const readiness = (kube: Kube, node: string) =>
  kube.kubectl('get', 'node', node, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')

/** Looking for nothing proves nothing unless something was found before. */
function assertTraces(dir: string): string[] {
  const networks = networksOf(dir)
  const { processes, mounts, cgroups, directory } = traces(dir)
  const found = JSON.stringify({ processes, mounts, cgroups, networks, directory })
  assert.ok(processes.length > 3 && mounts.length > 0 && cgroups.length > 0 && networks.length > 1 && directory, found)
  return networks
}

describe('a Kubernetes of three nodes', () => {
  let started: Promise<Kube> | undefined
  async function start(): Promise<Kube> {
    const kube = await startKube({ nodes: 3 })
    await kube.valkeyImage()
    return kube
  }
  /** The one of all these tests; undefined where the test is skipped. */
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => (await started?.catch(() => undefined))?.stop())

  test('runs Valkey on a volume, and answers by the name of its Service', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    assert.deepEqual(kube.nodes, ['node0', 'node1', 'node2'])
    for (const node of kube.nodes) assert.equal(await readiness(kube, node), 'True')

    await kube.kubectlWith(objects, 'apply', '-f', '-')
    await kube.kubectl('rollout', 'status', 'deployment/cache', '--timeout=90s')
    await kube.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=90s')
    const asked = (...words: string[]) => {
      const client = ['exec', 'client', '--', 'valkey-cli', '-h', 'cache.default.svc.cluster.local']
      return kube.kubectl(...client, ...words).catch(() => '')
    }
    // A Service answers a moment after its pod is Ready.
    await until(async () => (await asked('set', 'greeting', 'hello')) === 'OK', 'the Service to answer', patienceMs)

    // The nodes' own network knows the same names.
    const address = await kube.kubectl('get', 'service', 'cache', '-o', 'jsonpath={.spec.clusterIP}')
    const lookup = await kube.inside('busybox', 'nslookup', 'cache.default.svc.cluster.local', '10.99.0.1')
    assert.ok(lookup.includes(address), lookup)

    const pod = await kube.kubectl('get', 'pod', '-l', 'app=cache', '-o', 'name')
    await kube.killInPod('default', pod.replace('pod/', ''), 'valkey')
    const kept = async () => (await asked('get', 'greeting')) === 'hello'
    await until(kept, 'Valkey to answer from its volume after a crash', patienceMs)
    const restarts = ['get', pod, '-o', 'jsonpath={.status.containerStatuses[0].restartCount}']
    await until(async () => (await kube.kubectl(...restarts)) === '1', 'the restart to be counted', patienceMs)
  })

  test('helm installs a chart', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    const chart = writeChart(kube.dir)
    await kube.helmWith('text: from a file\n', 'install', 'greeting', chart, '--values', '-')
    assert.equal(await kube.kubectl('get', 'configmap', 'greeting', '-o', 'jsonpath={.data.text}'), 'from a file')
    await assert.rejects(kube.helm('install', 'greeting', chart), /cannot re-?use a name/)
  })

  test('refuses a privileged pod where pod security is restricted', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    await refusesPrivileged(kube)
  })

  test('a node whose kubelet is killed is NotReady until it is back', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    const node = 'node2'
    for (const kill of [kube.killKubelet, kube.killNode]) {
      await kill(node)
      await until(async () => (await readiness(kube, node)) === 'Unknown', 'the node to be lost', patienceMs)
      await kube.startKubelet(node)
      await until(async () => (await readiness(kube, node)) === 'True', 'the node to be back', patienceMs)
    }
  })

  test('leaves nothing behind', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    const networks = assertTraces(kube.dir)
    await kube.stop()
    assert.deepEqual(traces(kube.dir, networks), NO_TRACES)
  })
})

test('the control plane alone judges manifests', { timeout: 120_000 }, async (t) => {
  if (!requireKube(t)) return
  const kube = await startKube({ controlPlaneOnly: true })
  t.after(() => kube.stop())
  assert.deepEqual(kube.nodes, [])
  await refusesPrivileged(kube)
})

test('nothing is left of the Kubernetes of a test that is killed', { timeout: 180_000 }, async (t) => {
  if (!requireKube(t)) return
  const module = JSON.stringify(new URL('../support/kube.ts', import.meta.url).href)
  const code = `const { startKube } = await import(${module})
    const kube = await startKube()
    await kube.valkeyImage()
    await kube.kubectl('run', 'cache', '--image=${image}')
    await kube.kubectl('wait', '--for=condition=Ready', 'pod/cache', '--timeout=90s')
    console.log(kube.dir)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [dir] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const networks = assertTraces(dir)
  child.kill('SIGKILL')
  const left = () => JSON.stringify(traces(dir, networks))
  await until(() => left() === JSON.stringify(NO_TRACES), left, 20_000)
})
