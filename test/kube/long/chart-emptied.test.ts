/** Pods of the chart that come back without their data: their volume was lost, or the release has none. Under writes; nobody else is emptied. */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { chartFile, type Values } from '../../support/chart.ts'
import { formed, nodesOf } from '../../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { importCurl, keysOf, onePrimary } from '../../support/chart-replicas.ts'
import { assertKept, type Writer, writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'
import { until } from '../../support/until.ts'

const patienceMs = 120_000

describe('pods without their data', () => {
  let started: Promise<Kube> | undefined
  async function start(): Promise<Kube> {
    const kube = await startKube()
    await kube.valkeyImage()
    await importCurl(kube)
    return kube
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => (await started?.catch(() => undefined))?.stop())

  /** What was under way is all that may be gone: each of the 12 writers has one write in flight. */
  async function afterLoss(t: TestContext, writer: Writer, what: string): Promise<void> {
    const told = await writesOn(writer)
    t.diagnostic(`${what}: ${JSON.stringify(told)}`)
    assert.ok(told.lost <= 12, JSON.stringify(told))
  }

  test('a cluster whose volumes are lost, of a primary and of another primary’s replica', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    const release = await installChart(kube, { name: 'v', values: testValues() })
    await release.ready(6)
    await formed(release, 6, 3)
    const writer = await release.writer(await release.target('cluster'))
    const nodes = await nodesOf(release)
    const [one, other] = nodes.filter(({ slots }) => slots > 0)
    const replica = nodes.find(({ primary }) => primary === other?.id)
    const pods = [one?.pod ?? assert.fail(), replica?.pod ?? assert.fail()]
    for (const pod of pods) {
      await release.kubectl('delete', 'pvc', `data-${release.set}-${pod}`, '--wait=false')
      await release.lose(pod)
    }
    const began = performance.now()
    await release.ready(6)
    await formed(release, 6, 3)
    t.diagnostic(`two volumes lost: whole again after ${Math.round((performance.now() - began) / 1000)} s`)
    await afterLoss(t, writer, 'two volumes lost')
    const found = await nodesOf(release)
    for (const pod of pods) {
      const was = nodes.find((node) => node.pod === pod)
      const is = found.find((node) => node.pod === pod)
      assert.notEqual(is?.id, was?.id)
      assert.equal(is?.role, 'replica')
    }
    await writer.stop()
    if (process.env['VALKEEP_TEST_FULL'] === '1') await loseShard(t, release)
    await kube.helm('uninstall', 'v', '--namespace', 'v')
  })

  /** Every copy of a shard is lost: its pods wait, and what PRODUCTION.md tells makes the cluster whole without what was in it. */
  async function loseShard(t: TestContext, release: Release): Promise<void> {
    const nodes = await nodesOf(release)
    const [owner] = nodes.filter(({ slots }) => slots > 0)
    const pods = nodes.filter(({ id, primary }) => id === owner?.id || primary === owner?.id).map(({ pod }) => pod)
    assert.equal(pods.length, 2)
    for (const pod of pods) await release.kubectl('delete', 'pvc', `data-${release.set}-${pod}`, '--wait=false')
    await release.lose(...pods)
    const alive = [0, 1, 2, 3, 4, 5].find((pod) => !pods.includes(pod)) ?? assert.fail()
    const failed = async () => (await nodesOf(release, alive)).filter(({ fine }) => !fine).length === 2
    await until(failed, 'the shard to be given up', patienceMs, 500)
    const fix = chartFile('PRODUCTION.md').match(
      /kubectl exec [^\n]*RELEASE-valkey-cluster-(0) .* -- sh -c '(.*)'\n/,
    )?.[2]
    t.diagnostic(await release.exec(alive, 'sh', '-c', fix ?? assert.fail('the command of PRODUCTION.md')))
    await release.upgrade(testValues())
    await release.ready(6)
    await formed(release, 6, 3)
  }

  test('a cluster without volumes', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    const values = (over: Values = {}) => testValues({ persistence: { enabled: false }, ...over })
    const release = await installChart(kube, { name: 'e', values: values() })
    await release.ready(6)
    await formed(release, 6, 3)
    const writer = await release.writer(await release.target('cluster'))
    const began = performance.now()
    await release.upgrade(values({ valkey: { config: { hz: '20' } } }))
    await release.ready(6, 240_000)
    t.diagnostic(`rolling upgrade without volumes: ${Math.round((performance.now() - began) / 1000)} s`)
    assertKept(t, 'rolling upgrade without volumes', await writesOn(writer))
    await formed(release, 6, 3)
    const [primary] = (await nodesOf(release)).filter(({ slots }) => slots > 0)
    await release.lose(primary?.pod ?? assert.fail())
    await release.ready(6)
    await afterLoss(t, writer, 'pod of a primary without a volume lost')
    await formed(release, 6, 3)
    await writer.stop()
    await kube.helm('uninstall', 'e', '--namespace', 'e')
  })

  test('a replication without volumes', async (t) => {
    const kube = await cluster(t)
    if (kube === undefined) return
    const values = (over: Values = {}) =>
      testValues({ architecture: 'replication', persistence: { enabled: false }, ...over })
    const release = await installChart(kube, { name: 'p', values: values() })
    await release.ready(3)
    const writer = await release.writer(await release.target('plain'))
    await release.upgrade(values({ valkey: { config: { hz: '20' } } }))
    await release.ready(3)
    assertKept(t, 'rolling upgrade without volumes', await writesOn(writer))
    await release.lose(await onePrimary(release, 3))
    await release.ready(3)
    await afterLoss(t, writer, 'pod of the primary without a volume lost')
    const primary = await onePrimary(release, 3)
    const { acknowledged } = await writer.stop()
    assert.ok(acknowledged > 0)
    const keys = await keysOf(release, primary)
    for (const pod of [0, 1, 2])
      await until(async () => (await keysOf(release, pod)) === keys, 'the same keys', patienceMs)
  })
})
