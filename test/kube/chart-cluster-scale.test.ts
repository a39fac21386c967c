/** The chart's cluster grows and shrinks under writes: no pod is restarted for it, and pods are drained before they go. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { assertKept, formed, settled } from '../support/chart-cluster.ts'
import { installChart, testValues } from '../support/chart-release.ts'
import { type Kube, requireKube, startKube } from '../support/kube.ts'

const values = (nodes: number) => testValues({ cluster: { nodes } })

describe('a cluster of the chart, in size', { timeout: 290_000 }, () => {
  let kube: Kube | undefined
  after(() => kube?.stop())

  test('goes from 6 pods to 8 and back without losing a write', async (t) => {
    if (!requireKube(t)) return
    kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: values(6), args: ['--wait', '--timeout', '180s'] })
    await formed(release, 6, 3)
    const before = (await release.pods()).map(({ metadata }) => metadata.uid)
    const writer = await release.writer(await release.target('cluster'))

    let began = performance.now()
    const took = () => `${Math.round((performance.now() - began) / 1000)} s`
    await release.upgrade(values(8))
    await formed(release, 8, 4, 200_000)
    t.diagnostic(`6 to 8 pods in ${took()}`)
    assertKept(t, '6 to 8 pods', await settled(writer))

    began = performance.now()
    await release.upgrade(values(6), '--timeout', '200s')
    await release.ready(6)
    await formed(release, 6, 3)
    t.diagnostic(`8 to 6 pods in ${took()}`)
    assertKept(t, '8 to 6 pods', await settled(writer))
    const after = (await release.pods()).map(({ metadata }) => metadata.uid)
    assert.deepEqual(after, before, 'the pods that stay were not touched')
    assertKept(t, 'in all', await writer.stop())
  })
})
