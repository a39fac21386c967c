/** The platform's own end and return: instances run on, `valkeep down` stops them, one platform has a data directory. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { exitCodes } from '../../src/cli/exit-code.ts'
import type { ValkeyConnection } from '../../src/valkey/client.ts'
import { freePort } from '../support/free-port.ts'
import { app, type Instance, makeKillablePlatform } from '../support/killable-platform.ts'
import { type Endpoint, endpointOf, login, pinged, runId } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'

const readyWithinMs = 5_000

const platform = makeKillablePlatform()
let instance: Instance
let endpoint: Endpoint
let client: ValkeyConnection
let run = ''

before(async () => {
  await platform.start()
  instance = await platform.make('kept')
  endpoint = await endpointOf(platform, instance.id)
  client = await login(endpoint, app)
  run = await runId(client)
})
after(async () => {
  await client?.close()
  await platform.remove()
})

const untouched = async () => {
  assert.equal(await client.call(['PING']), 'PONG', 'the client is still connected')
  assert.equal(await runId(client), run)
}

test('a second platform on the same data directory is refused, the first one goes on', async () => {
  const platformFile = join(platform.home, 'platform.json')
  const pid = platform.pid()
  const second = await platform.cli(['up', '--no-first', '--port', String(await freePort())])
  assert.equal(second.code, exitCodes.conflict, second.stderr)
  assert.match(second.stderr, /(in use|already|another)/i)
  assert.match(second.stderr, /valkeep status/)
  assert.doesNotMatch(second.stdout, /ready/)
  assert.equal(platform.pid(), pid)
  assert.ok(existsSync(platformFile))
  assert.equal((await platform.instance(instance.id)).health, 'healthy')
  await untouched()
})

test('fifty creates at once with one idempotency key make one instance', async () => {
  const tenantId = await platform.tenantId()
  const headers = { 'idempotency-key': randomUUID() }
  const body = { name: 'once', max_memory_mb: 16, users: [{ username: 'app', privileges: ['full'] }] }
  const path = `/tenants/${tenantId}/valkey-instances`
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => platform.call<Instance>('POST', path, { body, headers })),
  )
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]))
  assert.equal(new Set(answers.map((answer) => answer.body.id)).size, 1)
  const secrets = answers.filter(({ text }) => text.includes('"password"'))
  assert.equal(secrets.length, 1, 'the password is shown once')
  const { items } = await platform.ok<{ items: Instance[] }>('GET', '/valkey-instances')
  assert.equal(items.filter(({ name }) => name === 'once').length, 1)
  const id = answers[0]?.body.id ?? assert.fail()
  await until(async () => (await platform.instance(id)).status === 'active', 'the instance to be active')
  assert.equal(platform.serverPids(id).length, 1)
  assert.equal((await platform.operations(id)).length, 1)
})

for (const [name, times] of [
  ['SIGTERM', 1],
  ['SIGINT', 2],
  ['SIGHUP', 1],
] as const)
  test(`${name}${times > 1 ? ' twice' : ''} ends the platform, not the instances`, async (t) => {
    const servers = platform.servers().toSorted()
    for (let time = 0; time < times; time++) platform.signal(name)
    const { code, signal, stderr } = await platform.ended()
    assert.deepEqual([code, signal], [0, null], stderr)
    if (name !== 'SIGTERM') assert.match(stderr, /valkeep down/)
    assert.ok(!existsSync(join(platform.home, 'platform.json')))
    await untouched()
    assert.deepEqual(platform.servers().toSorted(), servers)
    const readyMs = await platform.start()
    t.diagnostic(`ready again after ${Math.round(readyMs)} ms`)
    assert.ok(readyMs < readyWithinMs, `${readyMs} ms`)
    await until(async () => (await platform.instance(instance.id)).health === 'healthy', 'it to be adopted')
    await untouched()
    assert.deepEqual(platform.servers().toSorted(), servers)
    assert.deepEqual(
      (await platform.operations(instance.id)).map(({ kind }) => kind),
      ['create'],
    )
  })

for (const withPlatform of [true, false])
  test(`down ${withPlatform ? 'with the platform running' : 'without a platform'}; up brings back what ran`, async (t) => {
    const { id: stoppedId } = await platform.make(withPlatform ? 'stopped-a' : 'stopped-b')
    await platform.done('POST', `/valkey-instances/${stoppedId}/stop`)
    await using writer = await login(endpoint, app)
    await writer.call(['SET', 'written', String(withPlatform)])
    const operations = (await platform.operations(instance.id)).length
    if (!withPlatform) await platform.kill9()
    const down = await platform.cli(['down'])
    assert.equal(down.code, 0, down.stderr)
    if (withPlatform) assert.equal((await platform.ended()).code, 0)
    assert.deepEqual(platform.servers(), [])
    assert.equal((await platform.cli(['down'])).code, 0, 'down is safe to repeat')
    const begun = performance.now()
    await platform.start()
    run = await until(() => pinged(endpoint, app).catch(() => undefined), 'the instance to be back')
    t.diagnostic(`served ${Math.round(performance.now() - begun)} ms after the platform was started`)
    await client.close()
    client = await login(endpoint, app)
    assert.equal(await client.call(['GET', 'written']), String(withPlatform))
    await until(async () => (await platform.instance(instance.id)).status === 'active', 'the repair to be recorded')
    const after = await platform.operations(instance.id)
    assert.deepEqual([after[0]?.kind, after.length], ['repair', operations + 1])
    assert.deepEqual(platform.serverPids(stoppedId), [])
    const { desired_state, health } = await platform.instance(stoppedId)
    assert.deepEqual([desired_state, health], ['stopped', 'stopped'])
  })

test('a platform killed in the middle of its very first start starts afterwards', async () => {
  const other = makeKillablePlatform()
  try {
    // What a start that was killed leaves: a key file that no store knows, an empty database.
    writeFileSync(join(other.home, 'valkeep.db'), '', { mode: 0o600 })
    writeFileSync(join(other.home, 'admin.key'), 'vk_unknown\n', { mode: 0o600 })
    await other.start()
    assert.equal((await other.call('GET', '/tenants')).status, 200)
  } finally {
    await other.remove()
  }
})
