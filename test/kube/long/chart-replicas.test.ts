/**
 * The chart's replication gets more replicas and fewer again, under writes, while the primary runs in a pod that goes; and `helm rollback` takes back
 * pods, configuration and password. VALKEEP_TEST_FULL=1: fewer by an upgrade too.
 */
import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import type { Values } from '../../support/chart.ts'
import { installChart, type Release, testValues } from '../../support/chart-release.ts'
import { importCurl, onePrimary, sentinelsAgree } from '../../support/chart-replicas.ts'
import { assertKept, type Writer, writesOn } from '../../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'

const app = { name: 'app', rules: '~* &* +@all', password: 'of-the-app' }
const values = (replicas: number, auth: Values, over: Values = {}): Values =>
  testValues({
    architecture: 'replication',
    replication: { replicas },
    auth: { autoGenerate: false, users: [app], ...auth },
    ...over,
  })
const few = values(2, { password: 'the-first' })
const many = values(4, { password: 'the-second' }, { valkey: { config: { hz: '20' } } })

/** Makes a pod that a scale-in takes away the primary: by the hand-over of another one, to which those that stay are not fit. */
async function movePrimary(release: Release): Promise<void> {
  const before = await onePrimary(release, 5)
  if (before >= 3) return
  const stay = [0, 1, 2].filter((pod) => pod !== before)
  for (const pod of stay) await release.ask(pod, 'CONFIG', 'SET', 'replica-priority', '0')
  await release.kubectl('delete', 'pod', `${release.set}-${before}`)
  await release.ready(5)
  assert.ok((await onePrimary(release, 5)) >= 3)
  for (const pod of stay) await release.ask(pod, 'CONFIG', 'SET', 'replica-priority', '100')
}

describe('replicas of a replication of the chart', () => {
  let started: Promise<{ kube: Kube; release: Release }> | undefined
  async function start() {
    const kube = await startKube()
    await kube.valkeyImage()
    await importCurl(kube)
    const release = await installChart(kube, { name: 'r', values: few })
    await release.ready(3)
    return { kube, release }
  }
  const cluster = async (t: TestContext) => (requireKube(t) ? await (started ??= start()) : undefined)
  after(async () => (await started?.catch(() => undefined))?.kube.stop())

  /** As user `app`, whose password stays, through the Service that follows the primary. */
  async function writerOf(release: Release): Promise<Writer> {
    const passwordFile = await release.secretFile(`${release.set}-users`, app.name)
    return release.writer({ ...(await release.target('plain')), user: app.name, passwordFile })
  }

  async function grow(t: TestContext, release: Release, writer: Writer): Promise<void> {
    const began = performance.now()
    await release.upgrade(many)
    await release.ready(5)
    await onePrimary(release, 5)
    t.diagnostic(`3 to 5 pods: ${Math.round((performance.now() - began) / 1000)} s`)
    assertKept(t, '3 to 5 pods, other conf and password', await writesOn(writer))
    await movePrimary(release)
    assertKept(t, 'a pod deleted that only pods 3 and 4 may follow', await writesOn(writer))
  }

  async function shrunk(t: TestContext, release: Release, writer: Writer, what: string, began: number): Promise<void> {
    await release.ready(3)
    const primary = await onePrimary(release, 3)
    t.diagnostic(`${what}: ${Math.round((performance.now() - began) / 1000)} s`)
    assertKept(t, what, await writesOn(writer))
    await sentinelsAgree(release, 3, primary)
  }

  test('come, and go by a rollback', async (t) => {
    const it = await cluster(t)
    if (it === undefined) return
    const { kube, release } = it
    const writer = await writerOf(release)
    await grow(t, release, writer)
    const began = performance.now()
    await kube.helm('rollback', release.name, '1', '--namespace', release.namespace)
    await shrunk(t, release, writer, '5 to 3 pods by a rollback', began)
    assert.match(await release.ask(0, 'CONFIG', 'GET', 'hz'), /10/)
    const login = 'REDISCLI_AUTH=the-first valkey-cli --tls --cacert /etc/valkey/tls/ca.crt -p 6380 --user default PING'
    assert.equal(await release.exec(0, 'sh', '-c', login), 'PONG')
    const tested = await kube.helm('test', release.name, '--namespace', release.namespace, '--timeout', '120s')
    assert.match(tested, /Phase: +Succeeded/)
    assertKept(t, 'in all', await writer.stop())
  })

  test('come, and go by an upgrade', { skip: process.env['VALKEEP_TEST_FULL'] !== '1' }, async (t) => {
    const it = await cluster(t)
    if (it === undefined) return
    const { release } = it
    const writer = await writerOf(release)
    await grow(t, release, writer)
    const began = performance.now()
    await release.upgrade(few)
    await shrunk(t, release, writer, '5 to 3 pods by an upgrade', began)
    assertKept(t, 'in all', await writer.stop())
  })
})
