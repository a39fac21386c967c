/** The chart's cluster grows under writes: no pod is restarted for it. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { formed } from '../../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { assertKept, writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'

const values = (nodes: number) => testValues({ cluster: { nodes } })
const uids = async (release: Release) => (await release.pods()).slice(0, 6).map(({ metadata }) => metadata.uid)

describe('a cluster of the chart that grows', () => {
  let kube: Kube | undefined
  after(() => kube?.stop())

  test('goes from 6 pods to 8 without losing a write', async (t) => {
    if (!requireKube(t)) return
    kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: values(6) })
    await release.ready(6)
    await formed(release, 6, 3)
    const writer = await release.writer(await release.target('cluster'))
    const before = await uids(release)
    const began = performance.now()
    await release.upgrade(values(8))
    await formed(release, 8, 4, 200_000)
    t.diagnostic(`6 to 8 pods in ${Math.round((performance.now() - began) / 1000)} s`)
    assertKept(t, '6 to 8 pods', await writesOn(writer))
    assert.deepEqual(await uids(release), before, 'the pods that stay were not touched')
    assertKept(t, 'in all', await writer.stop())
  })
})
