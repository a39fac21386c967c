/** The chart's cluster shrinks under writes: pods are drained before they go, and the others are not restarted. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { formed } from '../../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { assertKept, writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'

const values = (nodes: number) => testValues({ cluster: { nodes } })
const uids = async (release: Release) => (await release.pods()).slice(0, 6).map(({ metadata }) => metadata.uid)

describe('a cluster of the chart that shrinks', () => {
  let kube: Kube | undefined
  after(() => kube?.stop())

  test('goes from 8 pods to 6 without losing a write', async (t) => {
    if (!requireKube(t)) return
    kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: values(8) })
    await release.ready(8)
    await formed(release, 8, 4)
    const writer = await release.writer(await release.target('cluster'))
    const before = await uids(release)
    const began = performance.now()
    await release.upgrade(values(6), '--timeout', '200s')
    await release.ready(6)
    await formed(release, 6, 3)
    t.diagnostic(`8 to 6 pods in ${Math.round((performance.now() - began) / 1000)} s`)
    assertKept(t, '8 to 6 pods', await writesOn(writer))
    assert.deepEqual(await uids(release), before, 'the pods that stay were not touched')
    assertKept(t, 'in all', await writer.stop())
  })
})
