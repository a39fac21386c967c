/**
 * Releases of the chart with snapshots and no append-only file: a primary that is killed has lost what its replicas still have. Then they are
 * uninstalled with the default delays, which nothing holds up, and installed again with all that was there.
 */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { chartDir } from '../../support/chart.ts'
import { aPrimary, formed, nodesOf } from '../../support/chart-cluster.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { importCurl, keysOf, onePrimary } from '../../support/chart-replicas.ts'
import { writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'
import { until } from '../../support/until.ts'

const patienceMs = 120_000

type Case = {
  architecture: 'cluster' | 'replication' | 'standalone'
  pods: number
  /** Waits until all is well. @returns the pods that are primaries */
  primaries(release: Release): Promise<number[]>
}
const cases: Case[] = [
  {
    architecture: 'cluster',
    pods: 6,
    async primaries(release) {
      await formed(release, 6, 3)
      return (await nodesOf(release)).filter(({ slots }) => slots > 0).map(({ pod }) => pod)
    },
  },
  { architecture: 'replication', pods: 3, primaries: async (release) => [await onePrimary(release, 3)] },
  { architecture: 'standalone', pods: 1, primaries: async () => [0] },
]

const values = (architecture: string) =>
  testValues({ architecture, persistence: { appendOnly: false }, lifecycle: { preStop: { delay: 5 } } })

describe('with snapshots only', { concurrency: 3 }, () => {
  let started: Promise<Kube> | undefined
  async function start(): Promise<Kube> {
    const kube = await startKube()
    await kube.valkeyImage()
    await importCurl(kube)
    return kube
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => (await started?.catch(() => undefined))?.stop())

  /** Kills the server of a primary while a client writes. */
  async function kill(t: TestContext, of: Case, release: Release): Promise<void> {
    const mode = of.architecture === 'cluster' ? 'cluster' : 'plain'
    const writer = await release.writer(await release.target(mode))
    const before = await of.primaries(release)
    const pod = of.architecture === 'cluster' ? await aPrimary(release) : before[0]
    await writesOn(writer)
    const at = new Date().toISOString().slice(11, 23)
    await release.signal(pod ?? assert.fail(), 'KILL')
    const replaced = async () => !(await of.primaries(release)).includes(pod ?? -1)
    await until(replaced, 'a replica to take over', patienceMs, 200)
    const told = await writesOn(writer)
    t.diagnostic(`${of.architecture}, kill -9 of a primary: ${JSON.stringify(told)}`)
    // What was under way to the replicas: each of the 12 writers has one write in flight.
    const log = async () => await release.kubectl('logs', `${release.set}-${pod}`, '-c', 'valkey', '--tail=200')
    assert.ok(told.lost <= 12, `killed at ${at}: ${JSON.stringify(told)}\n${told.lost > 12 ? await log() : ''}`)
    await writer.stop()
  }

  /** A standalone server through another configuration, and back. */
  async function rollBack(kube: Kube, release: Release): Promise<void> {
    assert.equal(await release.ask(0, 'SET', 'a-key', 'a-value'), 'OK')
    await release.upgrade({ ...values('standalone'), valkey: { config: { hz: '20' } } })
    await release.ready(1)
    assert.match(await release.ask(0, 'CONFIG', 'GET', 'hz'), /20/)
    await kube.helm('rollback', release.name, '--namespace', release.namespace)
    await release.ready(1)
    assert.match(await release.ask(0, 'CONFIG', 'GET', 'hz'), /10/)
    assert.equal(await release.ask(0, 'GET', 'a-key'), 'a-value')
  }

  for (const of of cases)
    test(of.architecture, async (t) => {
      const kube = await cluster(t)
      if (kube === undefined) return
      const name = of.architecture.slice(0, 1)
      const release = await installChart(kube, { name, values: values(of.architecture) })
      await release.ready(of.pods)
      if (of.pods > 1) await kill(t, of, release)
      else await rollBack(kube, release)
      await release.ready(of.pods)
      const keys = await keysOf(release, ...(await of.primaries(release)))
      assert.ok(keys > 0)

      const kept = [
        'get',
        'pvc,secret',
        '-l',
        `app.kubernetes.io/instance=${name}`,
        '-o',
        'jsonpath={.items[*].metadata.uid}',
      ]
      const before = await release.kubectl(...kept)
      const logs = (await of.primaries(release)).map((pod) =>
        release.kubectl('logs', '--follow', '--tail=0', `${release.set}-${pod}`, '-c', 'valkey'),
      )
      const began = performance.now()
      await kube.helm('uninstall', name, '--namespace', name)
      await until(async () => (await release.pods()).length === 0, 'the pods to be gone', patienceMs, 100)
      const seconds = Math.round((performance.now() - began) / 1000)
      t.diagnostic(`${of.architecture}: all pods gone ${seconds} s after helm uninstall, with a delay of 5 s`)
      for (const log of logs) assert.match(await log, /saved: ok/)
      // One that nothing holds up: a preStop hook that waits for somebody in vain may take 125 s.
      assert.ok(seconds < 110, `${seconds} s`)
      assert.equal(await release.kubectl(...kept), before)

      await kube.helmWith(
        JSON.stringify(values(of.architecture)),
        'install',
        name,
        chartDir,
        '--namespace',
        name,
        '--values',
        '-',
      )
      await release.ready(of.pods)
      assert.equal(await keysOf(release, ...(await of.primaries(release))), keys)
      assert.equal(await release.kubectl(...kept), before)
    })
})
