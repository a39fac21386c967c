/** The chart's architecture `cluster` as Helm renders it, in pods without Kubernetes: formed by its job, killed anywhere, ended in order. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { aPrimary, formed, nodesOf } from '../support/chart-cluster.ts'
import { assertKept, startWriter, writesOn } from '../support/chart-writes.ts'
import { aKey, fill, keysOf } from '../support/local-cluster.ts'
import { type LocalPods, sharedLocalPods } from '../support/local-pods.ts'
import { installLocal, type LocalRelease } from '../support/local-release.ts'
import { until } from '../support/until.ts'

const PODS = [0, 1, 2, 3, 4, 5]

/** How many slots are somebody's, as pod 0 sees it. */
const assigned = async (release: LocalRelease): Promise<number> =>
  Number(/cluster_slots_assigned:(\d+)/.exec(await release.ask(0, 'CLUSTER', 'INFO'))?.[1])

/** Runs the job and kills it once it has come so far. */
async function killedJob(release: LocalRelease, at: RegExp | (() => Promise<boolean>)): Promise<void> {
  const job = await release.startTask('init')
  const there = async () => (at instanceof RegExp ? at.test(job.log('cluster')) : await at())
  await until(
    async () => (await there()) || job.isOver(),
    () => `${at} in ${job.log('cluster')}`,
    60_000,
  )
  assert.ok(!job.isOver(), `it is killed at work: ${job.log('cluster')}`)
  await job.kill()
}

/** What a job could change: ids, roles, slots and epochs, as every pod sees them. */
const tables = (release: LocalRelease): Promise<string[]> =>
  Promise.all(
    PODS.map(async (pod) => {
      const lines = (await release.ask(pod, 'CLUSTER', 'NODES')).split('\n')
      // Without the times of pings.
      return lines
        .map((line) => line.split(' ').toSpliced(4, 2).join(' '))
        .toSorted()
        .join('\n')
    }),
  )

describe('architecture cluster, without Kubernetes', () => {
  const localPods = sharedLocalPods()
  let started: Promise<{ pods: LocalPods; release: LocalRelease }> | undefined
  const start = async (pods: LocalPods) => {
    const release = await installLocal(pods, 'c', { architecture: 'cluster' })
    await release.start(...PODS)
    // Before there is a cluster: `helm install --wait` would wait for ever.
    await release.ready()
    const some = async () => (await assigned(release)) > 0
    for (const at of [/meets pod 3/, some, /pod \d follows/]) await killedJob(release, at)
    await release.runTask('init')
    await formed(release, 6, 3)
    return { pods, release }
  }
  const running = async (t: TestContext) => {
    const pods = await localPods(t)
    return pods === undefined ? undefined : await (started ??= start(pods))
  }

  test('is formed by a job that is killed again and again, and one that finds it whole changes nothing', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const before = await tables(release)
    await release.runTask('init')
    assert.deepEqual(await tables(release), before)
    assert.match(await release.runTask('test'), / passed$/m)
    for (const probe of ['startup', 'liveness', 'readiness'] as const)
      assert.equal(await release.probe(0, probe), undefined)
  })

  test('a replica that was reset, and that the others still know, is met again by the job', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const replica = (await nodesOf(release)).find(({ role }) => role === 'replica')?.pod ?? assert.fail()
    assert.equal(await release.ask(replica, 'CLUSTER', 'RESET', 'SOFT'), 'OK')
    await release.runTask('init')
    await formed(release, 6, 3)
    await release.ready()
  })

  test('a drain that reaches neither a pod nor DNS takes nothing away', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const before = await tables(release)
    const env = ['DOMAIN=c-headless.strict.svc.nowhere', 'REPLICAS_PER_PRIMARY=1', 'WAIT_SECONDS=2']
    const drain = release.exec(0, 'env', ...env, 'sh', '/opt/valkey/scripts/cluster.sh', '3', 'drain')
    await assert.rejects(drain, /nobody knows which pods there are, and nothing is taken away/)
    assert.deepEqual(await tables(release), before)
  })

  test('kill -9 of a primary, twice in a row, loses nothing', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const writer = await startWriter(it.pods, it.release.target('cluster'))
    const primary = await aPrimary(it.release)
    for (const which of ['first', 'second']) {
      await it.release.signal(primary, 'KILL')
      assertKept(t, `the ${which} kill -9`, await writesOn(writer))
    }
    assertKept(t, 'in all', await writer.stop())
    await formed(it.release, 6, 3)
  })

  test('a primary that was replaced takes no writes when it is back and hears from nobody', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    await fill(release)
    const before = await keysOf(release)
    const primary = await aPrimary(release)
    const others = PODS.filter((pod) => pod !== primary)
    const asked = others[0] ?? assert.fail()
    const replaced = async () => (await nodesOf(release, asked)).every(({ pod, slots }) => pod !== primary || !slots)
    await release.kill(primary)
    await until(replaced, 'a replica to take over', 30_000, 100)
    await Promise.all(others.map((pod) => release.signal(pod, 'STOP')))
    try {
      await release.start(primary)
      // The engine is content once it has waited for 2 s, and finds that it is alone only after cluster.nodeTimeoutMs.
      const content = async () => (await release.ask(primary, 'CLUSTER', 'INFO')).includes('cluster_state:ok')
      await until(content, 'the engine to be content', 10_000, 50)
      const key = await aKey(release, primary)
      // On a slow machine it may have found out by now.
      assert.match(await release.ask(primary, 'SET', key, 'lost'), /NOREPLICAS|CLUSTERDOWN/)
      assert.match((await release.probe(primary, 'readiness')) ?? '', /not settled yet|the cluster is not ok/)
    } finally {
      await Promise.all(others.map((pod) => release.signal(pod, 'CONT')))
    }
    await formed(release, 6, 3)
    await release.ready()
    assert.equal(await keysOf(release), before)
    assert.match(await release.ask(primary, 'CONFIG', 'GET', 'min-replicas-to-write'), /^0$/m)
  })

  test('a primary that is back takes no writes while it loads', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    await fill(release)
    const primary = await aPrimary(release)
    const key = await aKey(release, primary)
    // Long ones, which are not compressed: it answers after each.
    const long = `awk 'BEGIN { for (n = 0; n < 100; n++) { s = ""; while (length(s) < 1500) s = s rand(); print "SET {${key}}:" n, s } }'`
    const set = await release.exec(primary, 'sh', '-c', `. /opt/valkey/scripts/lib.sh; ${long} | here | grep -c OK`)
    assert.equal(set, '100')
    assert.match(await release.ask(primary, 'BGREWRITEAOF'), /started|scheduled/)
    const rewritten = async () =>
      /aof_rewrite_in_progress:0\s+aof_rewrite_scheduled:0/.test(await release.ask(primary, 'INFO', 'persistence'))
    await until(rewritten, 'a dump at the head of the append-only file', 10_000, 50)
    // Microseconds for each key.
    const config = { 'key-load-delay': 10_000, 'loading-process-events-interval-bytes': 1024 }
    await release.upgrade({ architecture: 'cluster', valkey: { config } })
    await release.kill(primary)
    await release.start(primary)
    await release.upgrade({ architecture: 'cluster' })
    let loads = 0
    const took = async () => {
      const said = await release.exec(
        primary,
        'sh',
        '-c',
        '. /opt/valkey/scripts/lib.sh; printf "CONFIG GET min-replicas-to-write\nINFO persistence\n" | here',
      )
      if (/^loading:1/m.test(said)) {
        loads++
        assert.match(said, /^100000$/m)
      }
      return /^0$[^]*^loading:0/m.test(said)
    }
    await until(took, 'it to take writes', 30_000, 50)
    assert.ok(loads > 0, 'it was seen to load')
    await formed(release, 6, 3)
    await release.ready()
  })

  test('a primary that ends in order hands over, saves, and loses nothing', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const writer = await startWriter(it.pods, release.target('cluster'))
    const primary = await aPrimary(release)
    const pod = release.pod(primary)
    await release.remove(primary)
    assertKept(t, 'pod ended', await writesOn(writer))
    assert.match(pod.log('valkey'), /handing over to .*handed over\n.*saved: ok/s)
    assert.equal(pod.code('valkey'), 0)
    await release.start(primary)
    await formed(release, 6, 3)
    await release.ready()
    assertKept(t, 'in all', await writer.stop())
    const node = (await nodesOf(release, primary)).find((one) => one.pod === primary)
    assert.equal(node?.role, 'replica')
  })

  test('without a shard no pod is ready; all pods lost and back, at new addresses, it is whole and has everything', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    await fill(release)
    const before = await keysOf(release)
    const nodes = await nodesOf(release)
    const shard = nodes.find(({ slots }) => slots > 0) ?? assert.fail()
    const copies = nodes.filter(({ id, primary }) => id === shard.id || primary === shard.id).map(({ pod }) => pod)
    assert.equal(copies.length, 2)
    const other = PODS.find((pod) => !copies.includes(pod)) ?? assert.fail()
    await Promise.all(copies.map((pod) => release.kill(pod)))
    const told = () => release.probe(other, 'readiness')
    await until(
      async () => (await told())?.includes('the cluster is not ok'),
      'the others to be not ready',
      30_000,
      200,
    )
    assert.equal(await release.probe(other, 'liveness'), undefined)
    await Promise.all(PODS.filter((pod) => !copies.includes(pod)).map((pod) => release.kill(pod)))
    await release.start(...PODS)
    await formed(release, 6, 3)
    await release.ready()
    assert.equal(await keysOf(release), before)
  })
})
