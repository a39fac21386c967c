/** The chart's cluster is to shrink and cannot: the upgrade fails, every pod and every write stays, and it goes on once it can. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { formed, nodesOf } from '../../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { assertKept, writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'

const values = (nodes: number) => testValues({ cluster: { nodes, replicasPerPrimary: 0 } })

/** Memory that the slots of another pod do not fit into, or as much as there is. */
async function limit(release: Release, pods: number, bytes: string): Promise<void> {
  for (let pod = 0; pod < pods; pod++) await release.ask(pod, 'CONFIG', 'SET', 'maxmemory', bytes)
}

describe('a cluster of the chart that cannot shrink', () => {
  let kube: Kube | undefined
  after(() => kube?.stop())

  test('stays as it is, until it can', async (t) => {
    if (!requireKube(t)) return
    kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: values(4) })
    await release.ready(4)
    await formed(release, 4, 4)
    const writer = await release.writer(await release.target('cluster'))

    await limit(release, 3, '1')
    await assert.rejects(release.upgrade(values(3), '--timeout', '150s'), /pre-upgrade hooks failed/)
    // Where Helm's own time was up the job is still at work, and would get on without the limit.
    await release.kubectl('delete', 'job', `${release.set}-drain`, '--cascade=foreground', '--ignore-not-found')
    await limit(release, 3, '0')
    assert.equal((await release.pods()).length, 4)
    assert.equal((await nodesOf(release)).length, 4)
    assertKept(t, 'a scale-in that was refused', await writesOn(writer))

    await release.upgrade(values(3), '--timeout', '200s')
    await release.ready(3)
    await formed(release, 3, 3)
    assertKept(t, 'in all', await writer.stop())
  })
})
