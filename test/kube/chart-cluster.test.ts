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

describe('a cluster of the chart, through planned changes', () => {
  let kube: Kube | undefined
  let started: Promise<Release> | undefined
  async function start(): Promise<Release> {
    kube = await startKube()
    await kube.valkeyImage()
    return installChart(kube, { name: 'c', values: testValues() })
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
    const forms = async () => (await logOf(release, jobs).catch(() => '')).includes('meets pod')
    await until(forms, 'the job to begin', patienceMs)
    await release.kubectl('delete', 'pod', '-l', jobs, '--grace-period=0', '--force', '--wait=false')
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
    await release.kubectl('wait', '--for=condition=complete', 'jobs', '--all', '--timeout=60s')
  })
})
