/** The chart's architecture `cluster` in pods without Kubernetes grows and shrinks. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formed, nodesOf } from '../support/chart-cluster.ts'
import { assertKept, startWriter, writesOn } from '../support/chart-writes.ts'
import { fill, keysOf } from '../support/local-cluster.ts'
import { sharedLocalPods } from '../support/local-pods.ts'
import { installLocal, type LocalRelease } from '../support/local-release.ts'
import { until } from '../support/until.ts'

const cluster = (nodes: number) => ({ architecture: 'cluster', cluster: { nodes } })

/** How many slots pod 6 has by its own word. */
const slotsOf = async (release: LocalRelease): Promise<number> =>
  (await nodesOf(release, 6)).find(({ pod }) => pod === 6)?.slots ?? 0

/**
 * A pod that another one has forgotten meets that one at once, as its own rejoin.sh may, which takes its lost links for theirs. The other one is asked:
 * the links are back within 0.1 s.
 */
const meetsAgain = (release: LocalRelease, pod: number, other: number): Promise<string> =>
  release.exec(
    pod,
    'sh',
    '-c',
    `. /opt/valkey/scripts/lib.sh
    to=$(address "$(host ${other})") id=$(here CLUSTER MYID) view=''
    until case $view in *"$id"*) false ;; *myself*) ;; *) false ;; esac; do
      sleep 0.05
      view=$(ask "$to" "$PORT" CLUSTER NODES)
    done
    here CLUSTER MEET "$to" "$PORT" "$BUS_PORT"`,
  )

describe('a cluster that grows and shrinks, without Kubernetes', () => {
  const localPods = sharedLocalPods()

  test('a cluster goes from 6 pods to 8 and back under writes, its job killed while slots move, and loses nothing', async (t) => {
    const pods = await localPods(t)
    if (pods === undefined) return
    const release = await installLocal(pods, 'c', cluster(6))
    await release.start(0, 1, 2, 3, 4, 5)
    await release.runTask('init')
    await formed(release, 6, 3)
    const lanes = 6
    const keys = (await fill(release)) + lanes
    const writer = await startWriter(pods, { ...release.target('cluster'), lanes })

    await release.upgrade(cluster(8))
    await release.start(6, 7)
    const job = await release.startTask('init')
    await until(
      async () => (await slotsOf(release)) > 500,
      () => `slots to move: ${job.log('cluster')}`,
      60_000,
      50,
    )
    assert.ok(!job.isOver(), 'it is killed at work')
    await job.kill()
    assertKept(t, 'killed while slots move', await writesOn(writer))
    await release.runTask('init')
    await formed(release, 8, 4)
    assertKept(t, '8 pods', await writesOn(writer))
    assert.equal(await keysOf(release), keys)

    await release.upgrade(cluster(6))
    const [, met] = await Promise.all([release.runTask('drain'), meetsAgain(release, 6, 0)])
    assert.equal(met, 'OK')
    await Promise.all([release.remove(6), release.remove(7)])
    await formed(release, 6, 3)
    assertKept(t, '6 pods', await writesOn(writer))
    assert.equal(await keysOf(release), keys)
    assertKept(t, 'in all', await writer.stop())
  })
})
