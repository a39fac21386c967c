/** The chart's cluster through what nobody planned: servers killed, frozen and busy, all pods gone at once. Under writes, with the volumes kept. */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { aPrimary, formed } from '../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../support/chart-release.ts'
import { assertKept, writesOn } from '../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../support/kube.ts'
import { until } from '../support/until.ts'

const patienceMs = 120_000

describe('a cluster of the chart, through faults', () => {
  let started: Promise<{ kube: Kube; release: Release }> | undefined
  async function start() {
    const kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: testValues() })
    await release.ready(6)
    await formed(release, 6, 3)
    return { kube, release }
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => (await started?.catch(() => undefined))?.kube.stop())

  const restarts = async (release: Release, pod: number) =>
    (await release.pods())[pod]?.status.containerStatuses?.[0]?.restartCount ?? 0
  const runId = async (release: Release, pod: number) =>
    /run_id:(\w+)/.exec(await release.ask(pod, 'INFO', 'server').catch(() => ''))?.[1]

  test('loses nothing with a server that is killed, nor with its whole container, twice in a row', async (t) => {
    const { kube, release } = (await cluster(t)) ?? {}
    if (kube === undefined || release === undefined) return
    const writer = await release.writer(await release.target('cluster'))
    const pod = await aPrimary(release)
    for (const time of ['first', 'second']) {
      await writesOn(writer)
      const before = await runId(release, pod)
      await release.signal(pod, 'KILL')
      await until(async () => ![undefined, before].includes(await runId(release, pod)), 'the server', patienceMs)
      assertKept(t, `kill -9 of a primary, the ${time} time`, await writesOn(writer))
    }
    assert.equal(await restarts(release, pod), 0, 'the container went on')
    for (const [at, time] of ['first', 'second'].entries()) {
      await writesOn(writer)
      await kube.killInPod(release.namespace, `${release.set}-${pod}`, 'valkey')
      await until(async () => (await restarts(release, pod)) > at, 'the restart', patienceMs)
      await release.ready(6)
      assertKept(t, `kill -9 of a primary's container, the ${time} time`, await writesOn(writer))
    }
    assertKept(t, 'in all', await writer.stop())
  })

  test('finds itself again when all pods are gone at once', async (t) => {
    const { release } = (await cluster(t)) ?? {}
    if (release === undefined) return
    const writer = await release.writer(await release.target('cluster'))
    const before = (await release.pods()).map(({ status }) => status.podIP)
    const began = performance.now()
    await release.kubectl('delete', 'pods', '-l', 'app.kubernetes.io/component=valkey')
    await release.ready(6)
    await formed(release, 6, 3)
    t.diagnostic(`all pods deleted at once: whole again after ${Math.round((performance.now() - began) / 1000)} s`)
    const addresses = (await release.pods()).map(({ status }) => status.podIP)
    for (const [pod, address] of addresses.entries()) assert.notEqual(address, before[pod])
    assertKept(t, 'all pods deleted at once', await writesOn(writer))
    await writer.stop()
  })

  test('ends a server that hangs, and none that is busy', async (t) => {
    const { release } = (await cluster(t)) ?? {}
    if (release === undefined) return
    const busy = await aPrimary(release)
    const frozen = (busy + 1) % 6
    const before = [await runId(release, busy), await runId(release, frozen)]
    const ended = await restarts(release, busy)
    await release.signal(frozen, 'STOP')
    const loop = "local s = redis.call('TIME')[1] repeat until redis.call('TIME')[1] - s > 32"
    const script = `. /opt/valkey/scripts/lib.sh; DEADLINE=60 here EVAL "${loop} return 'done'" 0`
    assert.equal(await release.exec(busy, 'sh', '-c', script), 'done')
    await until(async () => ![undefined, before[1]].includes(await runId(release, frozen)), 'the restart', patienceMs)
    assert.equal(await runId(release, busy), before[0], 'the busy one goes on')
    assert.equal(await restarts(release, busy), ended)
    await release.ready(6)
    await formed(release, 6, 3)
  })
})
