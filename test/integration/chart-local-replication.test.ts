/** The chart's architecture `replication` as Helm renders it, in pods without Kubernetes: servers and sentinels, killed, lost, and ended in order. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { assertKept, startWriter, type Writer, writesOn } from '../support/chart-writes.ts'
import { type LocalPods, sharedLocalPods } from '../support/local-pods.ts'
import { installLocal, type LocalRelease } from '../support/local-release.ts'
import { until } from '../support/until.ts'

const values = { architecture: 'replication', replication: { roleLabels: { enabled: false } } }
const PODS = [0, 1, 2]
const AS_DEFAULT =
  'REDISCLI_AUTH=$(cat /etc/valkey/auth/default) valkey-cli -s /run/valkey/sentinel.sock --no-auth-warning --user default'

const infoOf = async (release: LocalRelease, pod: number) => {
  const info = await release.ask(pod, 'INFO').catch(() => '')
  const field = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(info)?.[1] ?? ''
  const offset = Number(field('master_repl_offset'))
  return {
    role: field('role'),
    of: field('master_host'),
    link: field('master_link_status'),
    saves: field('rdb_saves'),
    offset,
  }
}

/**
 * Waits until one server is the primary and the others have what it had: before, a replica that takes over may lack the last second.
 * @returns the primary's pod
 */
async function inStep(release: LocalRelease): Promise<number> {
  let seen: unknown
  let wanted: number | undefined
  const look = async () => {
    const servers = await Promise.all(PODS.map((pod) => infoOf(release, pod)))
    seen = servers
    const primary = servers.findIndex(({ role }) => role === 'master')
    const follows = ({ of, link }: (typeof servers)[number]) =>
      of.startsWith(`${release.set}-${primary}.`) && link === 'up'
    if (servers.filter(follows).length !== 2) {
      wanted = undefined
      return undefined
    }
    const had = (wanted ??= servers[primary]?.offset ?? 0)
    return servers.every(({ offset }) => offset >= had) ? { primary } : undefined
  }
  return (await until(look, () => `a primary that all follow: ${JSON.stringify(seen)}`, 60_000, 200)).primary
}

/** What the sentinel of a pod knows: the primary's host name, how many replicas, and what it says of its quorum. */
async function sentinelOf(release: LocalRelease, pod: number) {
  const libs = '. /opt/valkey/scripts/lib.sh; . /opt/valkey/scripts/sentinel-lib.sh'
  const script = `${libs}; sentinel "$ordinal" SENTINEL MASTER "$group"; sentinel "$ordinal" SENTINEL CKQUORUM "$group"`
  const lines = (await release.pod(pod).exec('sentinel', 'sh', '-c', script, 'sh')).split('\n')
  const field = (name: string) => lines[lines.indexOf(name) + 1] ?? ''
  return { primary: field('ip'), replicas: field('num-slaves'), quorum: lines.at(-1) ?? '' }
}

/** As {@link inStep}, and every sentinel knows it and reaches the others: before, none replaces anybody. They ask servers every 10 s. */
async function settled(release: LocalRelease): Promise<number> {
  let seen: unknown
  const look = async () => {
    const primary = await inStep(release)
    const sentinels = await Promise.all(PODS.map((pod) => sentinelOf(release, pod)))
    seen = sentinels
    const knows = (one: (typeof sentinels)[number]) =>
      one.primary.startsWith(`${release.set}-${primary}.`) &&
      one.replicas === '2' &&
      one.quorum.startsWith('OK 3 usable')
    return sentinels.every(knows) ? { primary } : undefined
  }
  const { primary } = await until(look, () => `sentinels that know all: ${JSON.stringify(seen)}`, 60_000, 200)
  await release.ready()
  return primary
}

describe('architecture replication, without Kubernetes', () => {
  const localPods = sharedLocalPods()
  let started: Promise<{ pods: LocalPods; release: LocalRelease }> | undefined
  const start = async (pods: LocalPods) => {
    const release = await installLocal(pods, 'r', values)
    await release.start(...PODS)
    await release.ready()
    return { pods, release }
  }
  const running = async (t: TestContext) => {
    const pods = await localPods(t)
    return pods === undefined ? undefined : await (started ??= start(pods))
  }
  /** A client that asks the sentinels, as there is no Service that follows the primary. */
  const writerOf = ({ pods, release }: { pods: LocalPods; release: LocalRelease }): Promise<Writer> =>
    startWriter(pods, release.target('sentinel'))

  test('forms by itself, and an application finds the primary', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    assert.equal(await inStep(it.release), 0)
    assert.match(await it.release.runTask('test'), / passed$/m)
    for (const pod of PODS) {
      for (const probe of ['startup', 'liveness'] as const) assert.equal(await it.release.probe(pod, probe), undefined)
      assert.equal(await it.release.probe(pod, 'liveness', 'sentinel'), undefined)
    }
    // A client may ask its sentinels, and nothing else: with SENTINEL SET it could run a program of its own.
    const asClient = (...words: string[]) =>
      it.release.pod(0).exec('sentinel', 'sh', '-c', `${AS_DEFAULT} "$@" 2>&1`, 'sh', ...words)
    assert.match(await asClient('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'valkey'), /^r-0\./)
    for (const words of [
      ['SENTINEL', 'FAILOVER', 'valkey'],
      ['SENTINEL', 'SET', 'valkey', 'quorum', '1'],
      ['ACL', 'LIST'],
    ])
      assert.match(await asClient(...words), /^NOPERM/, words.join(' '))
  })

  test('kill -9 of the primary, twice in a row, loses nothing', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const writer = await writerOf(it)
    for (const which of ['first', 'second']) {
      await it.release.signal(await inStep(it.release), 'KILL')
      assertKept(t, `the ${which} kill -9`, await writesOn(writer))
    }
    assertKept(t, 'in all', await writer.stop())
  })

  test('a primary that is not settled, or whose server is away, is not ready', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const primary = await inStep(release)
    const replica = (primary + 1) % 3
    await release.ask(replica, 'REPLICAOF', 'NO', 'ONE')
    assert.match((await release.probe(replica, 'readiness')) ?? '', /another pod is the primary/)
    const { of } = await infoOf(release, (primary + 2) % 3)
    await release.ask(replica, 'REPLICAOF', of, '6380')
    const pid = await release.exec(replica, 'cat', '/run/valkey/pid')
    await release.exec(replica, 'kill', '-STOP', pid)
    assert.match((await release.probe(replica, 'readiness')) ?? '', /no answer/)
    await release.exec(replica, 'kill', '-CONT', pid)
    await inStep(release)
  })

  test('a primary that ends in order hands over, saves, and loses nothing', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const writer = await writerOf(it)
    const primary = await settled(release)
    const { saves } = await infoOf(release, primary)
    await release.exec(primary, 'sh', '/opt/valkey/scripts/prestop.sh')
    const now = await infoOf(release, primary)
    assert.equal(now.role, 'slave')
    assert.ok(Number(now.saves) > Number(saves), `saved: ${saves}, then ${now.saves}`)
    assert.match(release.pod(primary).log('valkey'), /handed over to pod \d\n.*saved: ok/s)
    assert.notEqual(await settled(release), primary)
    assertKept(t, 'preStop', await writesOn(writer))
    const next = await settled(release)
    const pod = release.pod(next)
    await release.remove(next)
    assertKept(t, 'pod ended', await writesOn(writer))
    assert.equal(pod.code('valkey'), 0)
    await release.start(next)
    assert.notEqual(await inStep(release), next)
    assertKept(t, 'in all', await writer.stop())
  })
  test('a lost pod of the primary is replaced though DNS loses questions, and comes back as a replica with everything', async (t) => {
    const it = await running(t)
    if (it === undefined) return
    const { release } = it
    const primary = await settled(release)
    const writer = await writerOf(it)
    it.pods.loseQuestions()
    await release.kill(primary)
    const { acknowledged, lost, maxSilenceMs } = await writesOn(writer)
    t.diagnostic(`pod lost: ${acknowledged} acknowledged, ${lost} lost, silence ${maxSilenceMs} ms`)
    // What was under way: each writer has one write in flight.
    assert.ok(lost <= 12, `${lost} lost`)
    // A sentinel that stood still for two seconds would replace nobody for 30.
    assert.ok(maxSilenceMs < 20_000, `${maxSilenceMs} ms without a write`)
    await release.start(primary)
    assert.notEqual(await inStep(release), primary)
    await writer.stop()
    await inStep(release)
    const sizes = await Promise.all(PODS.map((pod) => release.ask(pod, 'DBSIZE')))
    assert.deepEqual(sizes, [sizes[0], sizes[0], sizes[0]])
    assert.ok(Number(sizes[0]) >= 12)
  })
})
