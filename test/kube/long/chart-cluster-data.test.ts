/** The chart's cluster and the data that is there: an append-only file comes and goes, and preStop saves 200 MB. */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import type { Values } from '../../support/chart.ts'
import { formed, nodesOf } from '../../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { assertKept, writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'
import { until } from '../../support/until.ts'

const patienceMs = 120_000
/** Of one slot, 10 kB each: 200 MB. */
const KEYS = 20_000

const values = (appendOnly: boolean, over: Values = {}): Values =>
  testValues({ persistence: { appendOnly }, resources: { limits: { memory: '700Mi' } }, ...over })

/** The pod that owns the slot of {fill}, by its own word. */
async function ownerOf(release: Release): Promise<number> {
  for (const { pod } of (await nodesOf(release)).filter(({ slots }) => slots > 0))
    if ((await release.ask(pod, 'EXISTS', '{fill}1')).trim() === '1') return pod
  return -1
}

async function fill(release: Release): Promise<void> {
  const lua = `for i = 1, ${KEYS} do redis.call('SET', '{fill}' .. i, string.rep(i % 10, 10000)) end return 'done'`
  for (const { pod } of (await nodesOf(release)).filter(({ slots }) => slots > 0)) {
    const script = `. /opt/valkey/scripts/lib.sh; DEADLINE=60 here EVAL "${lua}" 1 '{fill}'`
    if ((await release.exec(pod, 'sh', '-c', script)) === 'done') return
  }
  assert.fail('no owner')
}

const keysIn = async (release: Release) => {
  const info = await release.ask(await ownerOf(release), 'CLUSTER', 'COUNTKEYSINSLOT', await slotOf(release))
  return Number(info)
}
const slotOf = (release: Release) => release.ask(0, 'CLUSTER', 'KEYSLOT', '{fill}')

/** Kills the server of a pod while it turns to the other kind of file. */
async function killWhileSwitching(release: Release, pod: number): Promise<void> {
  const script = 'test -e /run/valkey/switching && kill -KILL $(cat /run/valkey/pid) && echo killed'
  const killed = async () => (await release.exec(pod, 'sh', '-c', script).catch(() => '')) === 'killed'
  await until(killed, 'a server that switches', patienceMs)
}

describe('a cluster of the chart, and its data', () => {
  let started: Promise<{ kube: Kube; release: Release }> | undefined
  async function start() {
    const kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: values(false) })
    await release.ready(6)
    await formed(release, 6, 3)
    return { kube, release }
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? (await (started ??= start())).release : undefined)
  after(async () => (await started?.catch(() => undefined))?.kube.stop())

  test('keeps everything when the append-only file is switched on and off, killed in between', async (t) => {
    const release = await cluster(t)
    if (release === undefined) return
    await fill(release)
    const writer = await release.writer(await release.target('cluster'))
    await release.upgrade(values(true))
    await killWhileSwitching(release, 5)
    await release.ready(6)
    assertKept(t, 'append-only file switched on', await writesOn(writer))
    for (const pod of [0, 3, 5]) {
      assert.match(await release.ask(pod, 'CONFIG', 'GET', 'appendonly'), /yes/)
      await release.exec(pod, 'sh', '-c', 'ls /data/appendonlydir/*.manifest')
    }
    assert.equal(await keysIn(release), KEYS)

    const owner = await ownerOf(release)
    const log = release.kubectl('logs', '--follow', '--tail=0', `${release.set}-${owner}`)
    await release.kubectl('delete', 'pod', `${release.set}-${owner}`)
    assert.match(await log, /handed over.*saved: ok/s)
    await release.ready(6)
    assertKept(t, 'a primary pod with 200 MB deleted', await writesOn(writer))
    assert.equal(await keysIn(release), KEYS)

    await release.upgrade(values(false, { allowDowngrade: { persistence: true } }))
    await killWhileSwitching(release, 5)
    await release.ready(6)
    assertKept(t, 'append-only file switched off', await writesOn(writer))
    assert.match(await release.ask(5, 'CONFIG', 'GET', 'appendonly'), /no/)
    assert.equal(await release.exec(5, 'sh', '-c', 'ls /data | grep -c append || :'), '0')
    assert.equal(await keysIn(release), KEYS)
    assertKept(t, 'in all', await writer.stop())
  })
})
