/** A full disk under one instance: it says so, others are served, and it recovers by itself once there is room. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { app, type Instance, makeKillablePlatform } from '../support/killable-platform.ts'
import { type Endpoint, endpointOf, login, pinged } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'

const diskMb = 16
const chunk = 'x'.repeat(64 * 1024)

/** A command whose mounts only it and its children see. */
const apart = (script: string, ...args: string[]) => ['unshare', '--mount', 'sh', '-ec', script, ...args]

/** Mounts a small disk over a directory, keeping its files, for the command that follows. */
const withDisk = (dir: string) =>
  apart(
    'cp -a "$0" "$0.kept"; mount -t tmpfs -o mode=700,size="$1"m tmpfs "$0"; cp -a "$0.kept/." "$0"; rm -r "$0.kept"; shift; exec "$@"',
    dir,
    String(diskMb),
  )

/** Why no disk can be mounted here; undefined where one can. */
function whyNot(): string | undefined {
  const [program = '', ...args] = apart('mount -t tmpfs tmpfs /mnt')
  try {
    execFileSync(program, args, { stdio: 'pipe' })
    return undefined
  } catch (error) {
    return `SKIPPED: a small disk cannot be mounted (root on Linux can): ${String(error).split('\n')[0]}`
  }
}
const skip = whyNot()
if (skip !== undefined) process.stderr.write(`${skip}\n`)

const platform = makeKillablePlatform({ flags: ['--sweep-interval-s', '0.5'] })
let victim: Instance
let endpoint: Endpoint
let other: Instance
let otherRun = ''

before(async () => {
  if (skip !== undefined) return
  await platform.start()
  other = await platform.make('other')
  otherRun = await pinged(await endpointOf(platform, other.id), app)
  victim = await platform.make('victim')
  endpoint = await endpointOf(platform, victim.id)
  await platform.done('POST', `/valkey-instances/${victim.id}/stop`)
  await platform.kill9()
  await platform.start({ wrap: withDisk(platform.serverOf(victim.id).layout.dataDir) })
  await platform.done('POST', `/valkey-instances/${victim.id}/start`)
})
after(() => platform.remove())

/** The small disk, seen from outside through a process that has it. */
const onDisk = () => {
  const { dataDir } = platform.serverOf(victim.id).layout
  return join(`/proc/${platform.pid()}/root`, dataDir, 'filler')
}
const takeRoom = (mb: number) => writeFileSync(onDisk(), Buffer.alloc(mb * 2 ** 20))
const makeRoom = () => rmSync(onDisk())

async function write(count: number): Promise<void> {
  await using client = await login(endpoint, app)
  for (let n = 0; n < count; n++) {
    await client.call(['SET', 'big', chunk])
    await client.call(['INCR', 'count'])
  }
}

async function count(): Promise<number> {
  await using client = await login(endpoint, app)
  return Number(await client.call(['GET', 'count']))
}

/** Writes until it is refused or cut off. @returns how, and what was acknowledged last */
async function fill(): Promise<{ error: string; acknowledged: number }> {
  await using client = await login(endpoint, app)
  for (let acknowledged = 0, n = 0; ; n++) {
    assert.ok(n < 10_000, 'the disk does not fill')
    try {
      await client.call(['SET', 'big', chunk])
      acknowledged = Number(await client.call(['INCR', 'count']))
    } catch (error) {
      return { error: String(error), acknowledged }
    }
  }
}

async function othersAreServed(name: string): Promise<void> {
  assert.equal(await pinged(await endpointOf(platform, other.id), app), otherRun)
  const { id } = await platform.make(name)
  await pinged(await endpointOf(platform, id), app)
  assert.equal((await platform.call('GET', '/readyz')).status, 200)
}

const health = async () => (await platform.instance(victim.id)).health
const writable = () =>
  write(1).then(
    () => true,
    () => false,
  )

test('fsync everysec: writes are refused, the instance is unhealthy and says why', async (t: TestContext) => {
  if (skip !== undefined) return t.skip(skip)
  const run = await pinged(endpoint, app)
  takeRoom(6)
  const { error, acknowledged } = await fill()
  assert.match(error, /MISCONF/)
  await until(async () => (await health()) === 'unhealthy', 'the instance to be unhealthy')
  const { status, status_message } = await platform.instance(victim.id)
  assert.equal(status, 'active')
  assert.match(status_message ?? '', /cannot write its append-only file/)
  assert.equal(await count(), acknowledged, 'it can still be read')
  await othersAreServed('meanwhile-a')
  makeRoom()
  await until(writable, 'writes to be taken again')
  await until(async () => (await health()) === 'healthy', 'the instance to be healthy')
  assert.equal((await platform.instance(victim.id)).status_message, null)
  assert.equal(await pinged(endpoint, app), run, 'it was not restarted')
})

test('fsync always: the server ends, and is back with every acknowledged write', async (t: TestContext) => {
  if (skip !== undefined) return t.skip(skip)
  await platform.done('POST', `/valkey-instances/${victim.id}/stop`)
  await platform.done('PATCH', `/valkey-instances/${victim.id}`, { settings: { appendfsync: 'always' } })
  await platform.done('POST', `/valkey-instances/${victim.id}/start`)
  takeRoom(2)
  const { error, acknowledged } = await fill()
  assert.match(error, /closed|MISCONF/)
  await othersAreServed('meanwhile-b')
  makeRoom()
  await until(writable, 'writes to be taken again', 30_000)
  const kept = await count()
  assert.ok(kept >= acknowledged, `${acknowledged} acknowledged, ${kept} kept`)
  await until(async () => (await health()) === 'healthy', 'the instance to be healthy')
  assert.equal(platform.serverPids(victim.id).length, 1)
})
