/** Both values files for production in real pods, with their network policies enforced: they form, serve, are watched, and go on when a pod goes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, type TestContext, test } from 'node:test'
import { chartFile, overlayValues } from '../support/chart.ts'
import { aPrimary, formed, nodesOf } from '../support/chart-cluster.ts'
import * as production from '../support/chart-production.ts'
import type { Release } from '../support/chart-release.ts'
import { onePrimary } from '../support/chart-replicas.ts'
import { assertKept, writesOn } from '../support/chart-writes.ts'
import { type Kube, requireKube, startKube } from '../support/kube.ts'
import { CONTROL_PLANE } from '../support/kube-config.ts'
import { requirePart } from '../support/parts.ts'
import { reached } from '../support/probe-pods.ts'
import { assertFiring, figuresOf, type Rules } from '../support/promtool.ts'
import { until } from '../support/until.ts'

const { API, PASSWORD, app, elsewhere, listener, prometheus, stranger } = production
const { cli, inPod, openTo } = production

/** The figures of one pod that rules ask for, as promtool takes them: with the labels that Prometheus adds, unchanged for 20 minutes. */
function seriesOf(scrape: string, figures: ReadonlySet<string>, release: Release, pod: number): Record<string, string> {
  const target = `namespace="${release.namespace}",pod="${release.set}-${pod}"`
  return Object.fromEntries(
    [...scrape.matchAll(/^(redis_\w+)(?:\{(.*)\})? (\S+)$/gm)]
      .filter(([, name = '']) => figures.has(name))
      .map(([, name, labels, value]) => [`${name}{${[target, labels].filter(Boolean).join()}}`, `${Number(value)}x40`]),
  )
}

async function rulesOf(release: Release): Promise<Rules> {
  const rule = await release.kubectl('get', 'prometheusrule', release.set, '-o', 'json')
  return (JSON.parse(rule) as { spec: Rules }).spec
}

/** What the exporter of a pod says of itself: no password in its arguments and environment, and no trouble. */
async function assertQuiet(kube: Kube, release: Release): Promise<void> {
  const pid = await kube.podPid(release.namespace, `${release.set}-0`, 'exporter')
  const shown = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8')).join()
  assert.match(shown, /redis_exporter\0--redis\.addr/)
  const names = [`${release.set}-metrics`, `${release.set}-system`]
  const secrets = await Promise.all(names.map((name) => release.kubectl('get', 'secret', name, '-o', 'json')))
  const values = secrets.flatMap((text) => Object.values((JSON.parse(text) as { data: Record<string, string> }).data))
  assert.ok(values.length >= 3)
  for (const value of [...values.map((encoded) => Buffer.from(encoded, 'base64').toString()), PASSWORD])
    assert.ok(!shown.includes(value))
  const log = await release.kubectl('logs', `${release.set}-0`, '-c', 'exporter')
  assert.match(log, /level=info msg="Providing metrics/)
  assert.ok(!/level=(warn|error|fatal)/.test(log), log)
}

/** What its user is refused by the running server. */
async function assertMayNot(release: Release, ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const answer = await release.ask(0, 'ACL', 'DRYRUN', 'valkey-metrics', ...command.split(' '))
    assert.match(answer, /no permissions/, command)
  }
}

describe('the values for production, with network policies enforced', () => {
  let kube: Kube | undefined
  let started: Promise<production.World> | undefined
  const world = async (t: TestContext): Promise<production.World | undefined> => {
    const exporter = requirePart(t, 'exporter')
    if (exporter === undefined || !requireKube(t)) return undefined
    const start = async () => {
      kube = await startKube({ nodes: 3 })
      return production.startProduction(kube, exporter)
    }
    return (started ??= start())
  }
  after(async () => {
    const it = await started?.catch(() => undefined)
    try {
      await it?.enforcer.stop()
    } finally {
      await kube?.stop()
    }
  })

  test('the cluster forms, the sentinels agree, and helm test passes', async (t) => {
    const it = await world(t)
    if (it === undefined) return
    const { sharded, pair, plain } = it
    const sentinels = 'for n in $(pods); do sentinel "$n" SENTINEL CKQUORUM "$group"; done'
    const libraries = '. /opt/valkey/scripts/lib.sh; . /opt/valkey/scripts/sentinel-lib.sh'
    const agreed = await pair.exec(0, 'sh', '-c', `${libraries}; ${sentinels}`)
    assert.equal(agreed.match(/^OK 3 usable Sentinels/gm)?.length, 3, agreed)
    for (const { name } of [sharded, pair, plain]) {
      const told = await it.kube.helm('test', name, '--namespace', name, '--timeout', '60s')
      assert.match(told, /Phase: +Succeeded/)
    }
    for (const release of [sharded, pair])
      assert.equal(await release.kubectl('get', 'pdb', release.set, '-o', 'jsonpath={.spec.maxUnavailable}'), '1')
  })

  test('chosen pods of chosen namespaces come in at the clients’ port, Prometheus at the metrics, and nobody else', async (t) => {
    const it = await world(t)
    if (it === undefined) return
    await it.enforcer.caughtUp()
    // That one has no selectors: everybody may use it, and nobody scrapes it.
    const anybody = { 'plain:6379': 1 }
    const [ofApp, ...ofOthers] = await Promise.all([app, stranger, elsewhere, prometheus].map((at) => openTo(it, at)))
    assert.deepEqual(ofApp, { 'sharded:6380': 6, 'pair:6380': 3, ...anybody })
    assert.deepEqual(ofOthers, [anybody, anybody, { 'sharded:9121': 6, 'pair:9121': 3, ...anybody }])
    for (const host of ['sharded-valkey-cluster.sharded', 'pair-valkey-cluster-primary.pair']) {
      assert.equal(await cli(it, app, host, PASSWORD, 'SET', 'from-an-app', host), 'OK')
      assert.equal(await cli(it, app, host, PASSWORD, 'GET', 'from-an-app'), host)
      assert.match(await cli(it, app, host, 'another', 'GET', 'from-an-app'), /WRONGPASS/)
    }
  })

  test('the pods reach each other and DNS, those of a replication the API server too, and nothing else', async (t) => {
    const it = await world(t)
    if (it === undefined) return
    const { sharded, pair, plain } = it
    assert.deepEqual(await openTo(it, inPod(sharded, 0)), { 'sharded:6380': 5, 'sharded:16380': 5 })
    assert.deepEqual(await openTo(it, inPod(pair, 0)), { 'pair:6380': 2, 'pair:26379': 2 })
    const { namespace, pod } = listener
    const address = await it.kube.kubectl('-n', namespace, 'get', 'pod', pod, '-o', 'jsonpath={.status.podIP}')
    const outside = [API, `${address}:6443`, `${address}:8080`]
    const reaches = (release: Release) => reached(it.kube, inPod(release, 0), outside)
    // The policy of `plain` has no egress.
    assert.deepEqual(await reaches(plain), outside.toSorted())
    assert.deepEqual(await reaches(sharded), [])
    // Without apiServerCidrs the ports of an API server are open to everywhere.
    assert.deepEqual(await reaches(pair), outside.slice(0, 2).toSorted())
    const uids = async () => (await pair.pods()).map(({ metadata }) => metadata.uid)
    const before = await uids()
    const cidrs = `networkPolicy.egress.apiServerCidrs={${CONTROL_PLANE}/32}`
    await pair.upgrade(chartFile('values-overrides-standalone.yaml'), '--set', `${production.small},${cidrs}`)
    await it.enforcer.caughtUp()
    assert.deepEqual(await reaches(pair), [API])
    await pair.ready(3)
    assert.deepEqual(await uids(), before, 'another policy restarts nothing')
  })

  test('Prometheus gets every figure that an alert asks for, and no alert fires', async (t) => {
    const it = await world(t)
    const promtool = requirePart(t, 'promtool')
    if (it === undefined || promtool === undefined) return
    for (const release of [it.sharded, it.pair]) {
      const rules = await rulesOf(release)
      const figures = figuresOf(rules)
      assert.ok(figures.size >= 8)
      const series: Record<string, string> = {}
      for (const [ordinal, { status }] of (await release.pods()).entries()) {
        const scrape = ['timeout', '5', 'wget', '-q', '-O', '-', `http://${status.podIP}:9121/metrics`]
        const { namespace, pod } = prometheus
        const text = await it.kube.kubectl('-n', namespace, 'exec', pod, '--', ...scrape)
        assert.equal(/^redis_up .*/m.exec(text)?.[0], 'redis_up 1')
        Object.assign(series, seriesOf(text, figures, release, ordinal))
      }
      for (const figure of figures)
        assert.ok(
          Object.keys(series).some((name) => name.startsWith(`${figure}{`)),
          figure,
        )
      await assertFiring(promtool, rules, series, 15, {})
      await assertQuiet(it.kube, release)
      await assertMayNot(release, 'GET k', 'SET k v', 'SCAN 0', 'CONFIG GET *', 'ACL LIST', 'SHUTDOWN', 'EVAL 1 0')
    }
  })

  test('without TLS the exporter sees its server too, and tells of one that hangs', async (t) => {
    const it = await world(t)
    const promtool = requirePart(t, 'promtool')
    if (it === undefined || promtool === undefined) return
    const { plain } = it
    const rules = await rulesOf(plain)
    const address = (await plain.pods())[0]?.status.podIP
    const scrape = () => it.kube.inside('curl', '-sS', '--max-time', '9', `http://${address}:9121/metrics`)
    const fires = async (expected: Parameters<typeof assertFiring>[4]) =>
      assertFiring(promtool, rules, seriesOf(await scrape(), figuresOf(rules), plain, 0), 15, expected)
    await fires({})
    await assertQuiet(it.kube, plain)
    await plain.signal(0, 'STOP')
    const labels = { namespace: 'plain', pod: `${plain.set}-0`, severity: 'critical' }
    await fires({ ValkeyDown: [{ labels, summary: `Valkey ${plain.set}-0 does not answer` }] })
    await plain.signal(0, 'CONT')
    await plain.ready(1)
  })

  test('a deleted pod of a primary hands over, a primary that hangs is replaced, and nothing is lost', async (t) => {
    const it = await world(t)
    if (it === undefined) return
    const { sharded, pair } = it
    const writers = await production.startWriters(it)
    const both = async () => [await aPrimary(sharded), await onePrimary(pair, 3)] as const
    const [one, other] = await both()
    await Promise.all([
      sharded.kubectl('delete', 'pod', `${sharded.set}-${one}`),
      pair.kubectl('delete', 'pod', `${pair.set}-${other}`),
    ])
    await Promise.all([sharded.ready(6), pair.ready(3)])
    await formed(sharded, 6, 3)
    assert.notEqual(await onePrimary(pair, 3), other)
    for (const [at, what] of ['sharded, deleted', 'pair, deleted'].entries())
      assertKept(t, what, await writesOn(writers[at] ?? assert.fail()))

    const [hung, hungToo] = await both()
    await Promise.all([sharded.signal(hung, 'STOP'), pair.signal(hungToo, 'STOP')])
    const replaced = async () => {
      const nodes = await nodesOf(sharded, hung === 0 ? 1 : 0)
      return (
        nodes.filter(({ slots }) => slots > 0).length === 3 &&
        nodes.every(({ pod, slots }) => pod !== hung || slots === 0)
      )
    }
    await until(replaced, 'another primary of the shard', 60_000, 200)
    assert.notEqual(await onePrimary(pair, 2), hungToo)
    await Promise.all([sharded.signal(hung, 'CONT'), pair.signal(hungToo, 'CONT')])
    await formed(sharded, 6, 3)
    await onePrimary(pair, 3)
    for (const [at, what] of ['sharded, hung', 'pair, hung'].entries()) {
      await writesOn(writers[at] ?? assert.fail())
      assertKept(t, what, await (writers[at] ?? assert.fail()).stop())
    }
  })

  test('a drained node gives its pods away one at a time, and nothing is lost', async (t) => {
    const it = await world(t)
    if (it === undefined) return
    const { sharded, pair } = it
    const writers = await production.startWriters(it)
    const there = async (release: Release, node: string) =>
      (await release.pods())
        .filter(({ metadata, spec }) => spec.nodeName === node && metadata.deletionTimestamp === undefined)
        .map(({ metadata }) => metadata.uid)
    // That of the primary, where two pods of the cluster are there too; of six on three nodes two are somewhere.
    const primary = (await pair.pods())[await onePrimary(pair, 3)]?.spec.nodeName ?? assert.fail()
    const counts = await Promise.all(it.kube.nodes.map(async (name) => (await there(sharded, name)).length))
    const crowded = it.kube.nodes.filter((_, at) => (counts[at] ?? 0) >= 2)
    const node = crowded.find((name) => name === primary) ?? crowded[0] ?? assert.fail()
    const before = await there(sharded, node)
    assert.equal((await there(pair, node)).length, 1)
    const options = ['--ignore-daemonsets', '--delete-emptydir-data', '--timeout=15s']
    const ours = '--pod-selector=app.kubernetes.io/instance in (sharded, pair)'
    // A volume of these nodes stays where it is: the pod that went is Pending, and so the budget keeps the next one.
    await assert.rejects(it.kube.kubectl('drain', node, ours, ...options), /violate the pod's disruption budget/)
    assert.equal((await there(pair, node)).length, 0)
    const left = await there(sharded, node)
    assert.equal(left.length, before.length - 1)
    assert.ok(left.every((uid) => before.includes(uid)))
    await it.kube.kubectl('uncordon', node)
    await Promise.all([sharded.ready(6), pair.ready(3)])
    await formed(sharded, 6, 3)
    await onePrimary(pair, 3)
    for (const [at, what] of ['sharded, drained', 'pair, drained'].entries()) {
      await writesOn(writers[at] ?? assert.fail())
      assertKept(t, what, await (writers[at] ?? assert.fail()).stop())
    }
  })

  test('without allowExternal nobody comes in but the release, with one selector those pods or those namespaces', async (t) => {
    const it = await world(t)
    if (it === undefined) return
    const { plain } = it
    const label = { matchLabels: { 'valkey-client': 'true' } }
    const open = async (ingress: object) => {
      const values = overlayValues(production.plainValues, { networkPolicy: { ingress } })
      await plain.upgrade(values, '--set', production.small)
      await it.enforcer.caughtUp()
      const all = await Promise.all([app, stranger, elsewhere, prometheus].map((place) => openTo(it, place)))
      return all.map((counts) =>
        Object.keys(counts)
          .filter((name) => name.startsWith('plain'))
          .join(),
      )
    }
    const closed = ['', '', '', '']
    assert.deepEqual(await open({ allowExternal: false }), closed)
    assert.match(await it.kube.helm('test', 'plain', '--namespace', 'plain', '--timeout', '60s'), /Phase: +Succeeded/)
    assert.deepEqual(await open({ podSelector: label }), closed, 'pods of the release’s own namespace')
    assert.deepEqual(await open({ namespaceSelector: label }), ['plain:6379', 'plain:6379', '', ''])
  })
})
