/** A valkey-server that is killed, that cannot be started, and that is stopped by a signal. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { app, type Instance, makeKillablePlatform } from '../support/killable-platform.ts'
import { type Endpoint, endpointOf, login, pinged, runId } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'
import { makeSweepMark } from './sweep-mark.ts'

const backMs = 5_000
const unhealthyMs = 10_000
const writers = 4

const platform = makeKillablePlatform({ flags: ['--sweep-interval-s', '0.5'] })
let neighbour: Instance
let neighbourAt: Endpoint
let neighbourRun = ''

before(async () => {
  await platform.start()
  neighbour = await platform.make('neighbour')
  neighbourAt = await endpointOf(platform, neighbour.id)
  neighbourRun = await pinged(neighbourAt, app)
})
after(() => platform.remove())

const onePid = (id: string): number => {
  const [pid, ...others] = platform.serverPids(id)
  assert.ok(pid !== undefined && others.length === 0, `processes: ${pid}, ${others.join()}`)
  return pid
}

/** Counts up on a connection of its own until that breaks. @returns the last number that was acknowledged */
async function countUp(endpoint: Endpoint, key: string, acknowledged: (count: number) => void): Promise<number> {
  let last = 0
  try {
    await using client = await login(endpoint, app)
    for (;;) {
      last = Number(await client.call(['INCR', key]))
      acknowledged(last)
    }
  } catch {
    return last
  }
}

/** Kills the server while it is written to. @returns what each writer was promised */
async function killWhileWriting(endpoint: Endpoint, id: string, round: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  const keys = Array.from({ length: writers }, (_, index) => `round-${round}-writer-${index}`)
  const ends = keys.map((key) => countUp(endpoint, key, (count) => counts.set(key, count)))
  await until(() => keys.every((key) => (counts.get(key) ?? 0) >= 50), 'every writer to be at work')
  process.kill(onePid(id), 'SIGKILL')
  await Promise.all(ends)
  return counts
}

const reachable = (endpoint: Endpoint) => pinged(endpoint, app).catch(() => undefined)

async function assertKept(endpoint: Endpoint, counts: Map<string, number>): Promise<void> {
  await using client = await login(endpoint, app)
  for (const [key, count] of counts) {
    const kept = Number(await client.call(['GET', key]))
    // One more may have been written whose answer was cut off.
    assert.ok(kept === count || kept === count + 1, `${key}: ${count} acknowledged, ${kept} kept`)
  }
}

async function killTwice(t: TestContext, name: string, appendfsync: string): Promise<void> {
  const { id } = await platform.make(name)
  await platform.done('PATCH', `/valkey-instances/${id}`, { settings: { appendfsync } })
  const endpoint = await endpointOf(platform, id)
  for (const round of [1, 2]) {
    const counts = await killWhileWriting(endpoint, id, round)
    const killed = performance.now()
    await until(() => reachable(endpoint), 'the server to be back', backMs)
    t.diagnostic(`back after ${Math.round(performance.now() - killed)} ms`)
    await assertKept(endpoint, counts)
    onePid(id)
    await until(async () => (await platform.instance(id)).status === 'active', 'the repair to be recorded')
  }
  const repairs = (await platform.operations(id)).filter(({ kind }) => kind === 'repair')
  assert.equal(repairs.length, 2)
  for (const { status, note } of repairs) {
    assert.equal(status, 'succeeded')
    assert.match(note ?? '', /no process runs/)
  }
  assert.equal(await pinged(neighbourAt, app), neighbourRun)
}

test('a killed server is back with every write, fsync always', (t) => killTwice(t, 'always', 'always'))
test('a killed server is back with every write on a healthy disk, fsync everysec', (t) =>
  killTwice(t, 'everysec', 'everysec'))

test('a server that cannot be started says why, makes no storm, and comes back once it can', async () => {
  const { id } = await platform.make('broken')
  const endpoint = await endpointOf(platform, id)
  {
    await using client = await login(endpoint, app)
    for (let n = 0; n < 50; n++) await client.call(['SET', `key-${n}`, 'x'.repeat(100)])
  }
  const { layout } = platform.serverOf(id)
  const aofDir = join(layout.dataDir, 'appendonlydir')
  const increment = join(aofDir, readdirSync(aofDir).find((name) => name.endsWith('.incr.aof')) ?? assert.fail())
  process.kill(onePid(id), 'SIGKILL')
  const whole = readFileSync(increment)
  const cut = Buffer.concat([whole.subarray(0, 1_000), Buffer.from('\r\nnot an AOF\r\n'), whole.subarray(1_100)])
  writeFileSync(increment, cut)
  await until(
    async () => {
      const { status, health } = await platform.instance(id)
      // One that was started before the file was cut serves, and dies of the next kill; others die of the file.
      if (status === 'active' && health === 'healthy')
        for (const pid of platform.serverPids(id)) process.kill(pid, 'SIGKILL')
      return status === 'failed'
    },
    'the instance to be given up',
    30_000,
  )
  const failed = await platform.instance(id)
  assert.match(failed.status_message ?? '', /append only file/i)
  assert.equal(failed.health, 'unhealthy')
  const before = (await platform.operations(id)).length
  const mark = await makeSweepMark(platform)
  for (let sweep = 0; sweep < 4; sweep++) await mark()
  const operations = await platform.operations(id)
  assert.ok(operations.length - before <= 1, `${operations.length - before} operations within four sweeps`)
  // The repair that is due may be trying it just now.
  await until(async () => platform.serverPids(id).length === 0, 'no process to be left')
  writeFileSync(increment, whole)
  await until(async () => {
    if ((await platform.instance(id)).status === 'failed') await platform.call('POST', `/valkey-instances/${id}/retry`)
    return (await platform.instance(id)).health === 'healthy'
  }, 'the instance to be served again')
  await using client = await login(endpoint, app)
  assert.equal(await client.call(['DBSIZE']), 50)
})

test('a server stopped by a signal is unhealthy, others are served; it goes on without a restart', async (t) => {
  const { id } = await platform.make('frozen')
  const endpoint = await endpointOf(platform, id)
  await using client = await login(endpoint, app, 60_000)
  const run = await runId(client)
  const pid = onePid(id)
  process.kill(pid, 'SIGSTOP')
  try {
    const stopped = performance.now()
    const health = async () => (await platform.instance(id)).health
    await until(async () => (await health()) === 'unhealthy', 'the instance to be unhealthy', unhealthyMs)
    t.diagnostic(`unhealthy after ${Math.round(performance.now() - stopped)} ms`)
    await until(
      async () => new RegExp(`kill -CONT ${pid}`).test((await platform.instance(id)).status_message ?? ''),
      'the instance to say what to do',
    )
    assert.equal(await pinged(neighbourAt, app), neighbourRun)
    const other = await platform.make('meanwhile')
    await pinged(await endpointOf(platform, other.id), app)
    await platform.restart()
    assert.equal(await health(), 'unhealthy')
    const mark = await makeSweepMark(platform)
    await mark()
    assert.equal(onePid(id), pid, 'a frozen server is neither ended nor started beside')
    process.kill(pid, 'SIGCONT')
    await until(async () => (await health()) === 'healthy', 'the instance to be healthy again')
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  assert.equal(await runId(client), run)
  assert.ok((await platform.operations(id)).every(({ steps }) => steps.every(({ kind }) => kind !== 'stop')))
})
