/** The chart's cluster through the changes that are planned: on a real Kubernetes, TLS everywhere, pod security `restricted`, under writes. */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import type { Values } from '../support/chart.ts'
import { installChart, type Release, testValues } from '../support/chart-release.ts'
import { aPrimary, formed, logOf } from '../support/chart-cluster.ts'
import { assertKept, type Writer, writesOn } from '../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../support/kube.ts'
import { until } from '../support/until.ts'

const jobs = 'app.kubernetes.io/component=job'
const BUS_PORT = 16_380
const patienceMs = 120_000

/** Everything that it says came before the writer's first report. */
async function roll(t: TestContext, release: Release, writer: Writer, what: string, over: Values): Promise<void> {
  await writesOn(writer)
  const began = performance.now()
  await release.upgrade(testValues(over))
  await release.ready(6)
  t.diagnostic(`${what}: ${Math.round((performance.now() - began) / 1000)} s`)
  assertKept(t, what, await writesOn(writer))
}

/** Installs a release whose job is killed while it forms the cluster: it has begun, and until then it cannot end, as no node hears of another. */
async function installAndKillJob(kube: Kube): Promise<Release> {
  const rule = ['FORWARD', '-p', 'tcp', '--dport', String(BUS_PORT), '-j', 'DROP']
  await kube.inside('iptables', '-w', '-I', ...rule)
  const release = await installChart(kube, { name: 'c', values: testValues() })
  const begun = async () => (await logOf(release, jobs).catch(() => '')).includes('meets pod')
  await until(begun, 'the job to begin', patienceMs)
  const pod = await release.kubectl('get', 'pod', '-l', jobs, '-o', 'jsonpath={.items[*].metadata.name}')
  assert.doesNotMatch(await logOf(release, jobs), /forming a cluster/)
  await kube.killInPod(release.namespace, pod)
  await kube.inside('iptables', '-w', '-D', ...rule)
  return release
}

describe('a cluster of the chart, through planned changes', () => {
  let kube: Kube | undefined
  let started: Promise<Release> | undefined
  async function start(): Promise<Release> {
    kube = await startKube()
    await kube.valkeyImage()
    return installAndKillJob(kube)
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => {
    await started?.catch(() => undefined)
    await kube?.stop()
  })

  test('forms although the job is killed while it does', async (t) => {
    const began = performance.now()
    const release = await cluster(t)
    if (release === undefined) return
    await release.ready(6)
    t.diagnostic(`6 pods Ready in ${Math.round((performance.now() - began) / 1000)} s, Kubernetes' own start included`)
    await formed(release, 6, 3)
    t.diagnostic(`formed in ${Math.round((performance.now() - began) / 1000)} s`)
  })

  test('loses nothing in rolling upgrades, nor with a pod', async (t) => {
    const release = await cluster(t)
    if (release === undefined) return
    const writer = await release.writer(await release.target('cluster'))
    await roll(t, release, writer, 'rolling upgrade, conf', { valkey: { config: { hz: '20' } } })
    assert.match(await release.ask(0, 'CONFIG', 'GET', 'hz'), /20/)
    await roll(t, release, writer, 'rolling upgrade, resources', {
      valkey: { config: { hz: '20' } },
      resources: { limits: { memory: '300Mi' } },
    })
    const pod = await aPrimary(release)
    await writesOn(writer)
    await release.kubectl('delete', 'pod', `${release.set}-${pod}`)
    await release.ready(6)
    assertKept(t, 'primary pod deleted', await writesOn(writer))
    assertKept(t, 'in all', await writer.stop())
    await formed(release, 6, 3)
    await release.kubectl('wait', '--for=condition=complete', 'jobs', '--all', '--timeout=300s')
  })
})
