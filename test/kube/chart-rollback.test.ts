/** `helm rollback` of the chart's cluster. It renders nothing, and takes pods away that have slots: the revision it goes back to drains them. */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import type { Values } from '../support/chart.ts'
import { formed, logOf, nodesOf } from '../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../support/chart-release.ts'
import { assertKept, writesOn } from '../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../support/kube.ts'
import { until } from '../support/until.ts'

const app = { name: 'app', rules: '~* &* +@all', password: 'of-the-app' }
const values = (nodes: number, over: Values = {}): Values =>
  testValues({ cluster: { nodes }, auth: { users: [app] }, ...over })
const uids = async (release: Release) => (await release.pods()).map(({ metadata }) => metadata.uid)

describe('helm rollback of a cluster of the chart', () => {
  let started: Promise<{ kube: Kube; release: Release }> | undefined
  async function start() {
    const kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: values(6) })
    await release.ready(6)
    await formed(release, 6, 3)
    return { kube, release }
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => (await started?.catch(() => undefined))?.kube.stop())

  async function rollback(t: TestContext, { kube, release }: { kube: Kube; release: Release }, what: string) {
    const began = performance.now()
    try {
      await kube.helm('rollback', release.name, '1', '--namespace', release.namespace, '--timeout', '200s')
    } catch (error) {
      throw new Error(`helm rollback: ${await logOf(release, 'app.kubernetes.io/component=job')}`, { cause: error })
    }
    t.diagnostic(`${what}: helm rollback took ${Math.round((performance.now() - began) / 1000)} s`)
    await release.ready(6)
    await formed(release, 6, 3)
  }

  test('goes back from more pods whose image is not there', async (t) => {
    const it = await cluster(t)
    if (it === undefined) return
    const before = await uids(it.release)
    await it.release.upgrade(values(8, { image: { tag: 'is-not-there' } }))
    const starting = async () => (await it.release.pods())[7]?.status.podIP !== undefined
    await until(starting, 'the new pods', 60_000)
    await rollback(t, it, 'from an image that is not there')
    assert.deepEqual(await uids(it.release), before, 'the others were not touched')
  })

  test('drains the pods that go, while a job still moves slots to them', async (t) => {
    const it = await cluster(t)
    if (it === undefined) return
    const { kube, release } = it
    const before = await uids(release)
    const secret = ['get', 'secret', release.set, '-o', 'jsonpath={.data}']
    const password = await release.kubectl(...secret)
    const target = { ...(await release.target('cluster')), user: app.name }
    const writer = await release.writer({
      ...target,
      passwordFile: await release.secretFile(`${release.set}-users`, app.name),
    })

    await release.upgrade(values(8, { auth: { users: [app], autoGenerate: false, password: 'another-one' } }))
    const moves = async () => (await nodesOf(release)).some(({ pod, slots }) => pod >= 6 && slots > 0)
    await until(moves, 'slots on a new pod', 120_000, 50)
    assert.notEqual(await release.kubectl(...secret), password)
    await rollback(t, it, 'from 8 pods to 6, in the middle of the move to 8')
    assertKept(t, 'a rollback from 8 pods to 6', await writesOn(writer))
    assert.deepEqual(await uids(release), before, 'the others were not touched')
    assert.equal(await release.kubectl(...secret), password)
    assert.match(
      await kube.helm('test', release.name, '--namespace', release.namespace, '--timeout', '120s'),
      /Phase: +Succeeded/,
    )
    assertKept(t, 'in all', await writer.stop())
  })
})
