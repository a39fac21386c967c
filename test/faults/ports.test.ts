/** Somebody else's process on an instance's port. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:net'
import { after, before, test } from 'node:test'
import { app, makeKillablePlatform } from '../support/killable-platform.ts'
import { endpointOf, login, pinged } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'
import { makeSweepMark } from './sweep-mark.ts'

const platform = makeKillablePlatform({ flags: ['--sweep-interval-s', '0.5', '--attempt-timeout-ms', '3000'] })

before(() => platform.start())
after(() => platform.remove())

/** Listens as some other program would. */
async function listenOn(port: number): Promise<{ server: Server; close(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  // A test that fails leaves it behind; it must not keep the run up.
  server.unref()
  return { server, close: () => new Promise((resolve) => server.close(() => resolve())) }
}

test('a stranger on the port of a stopped instance is left alone, named, and retry works once it is gone', async () => {
  const { id, port } = await platform.make('stolen')
  const endpoint = await endpointOf(platform, id)
  {
    await using client = await login(endpoint, app)
    await client.call(['SET', 'kept', 'yes'])
  }
  await platform.done('POST', `/valkey-instances/${id}/stop`)
  const stranger = await listenOn(port)
  const { headers } = await platform.call('POST', `/valkey-instances/${id}/start`)
  const operation = await platform.settled((headers.get('location') ?? '').slice('/operations/'.length))
  assert.deepEqual([operation.status, operation.cause?.code], ['failed', 'port-taken'])
  const refused = await platform.instance(id)
  assert.deepEqual([refused.status, refused.port], ['failed', port])
  assert.match(refused.status_message ?? '', new RegExp(`port ${port} .*not ours.*left alone`))
  const mark = await makeSweepMark(platform)
  for (let round = 0; round < 3; round++) await mark()
  assert.ok(stranger.server.listening)
  assert.deepEqual(platform.serverPids(id), [])
  const kinds = (await platform.operations(id)).map(({ kind }) => kind)
  assert.deepEqual(kinds, ['start', 'stop', 'create'], 'no operation while nothing changes')
  await stranger.close()
  // The platform may have found out by itself already.
  const retry = await platform.call('POST', `/valkey-instances/${id}/retry`)
  assert.ok([202, 409].includes(retry.status), retry.text)
  await until(async () => (await platform.instance(id)).status === 'active', 'the instance to be active')
  assert.equal((await platform.instance(id)).port, port)
  await using client = await login(endpoint, app)
  assert.equal(await client.call(['GET', 'kept']), 'yes')
})

test('a stranger that takes the port of a killed server is left alone; the server returns to its port by itself', async () => {
  const { id, port } = await platform.make('overtaken')
  const endpoint = await endpointOf(platform, id)
  await pinged(endpoint, app)
  const [pid] = platform.serverPids(id)
  assert.ok(pid)
  await platform.kill9()
  process.kill(pid, 'SIGKILL')
  await until(() => platform.serverPids(id).length === 0, 'the server to be gone')
  const stranger = await listenOn(port)
  await platform.start()
  const said = async () => /left alone/.test((await platform.instance(id)).status_message ?? '')
  await until(said, 'the instance to say so')
  const { health, port: now } = await platform.instance(id)
  assert.deepEqual([health, now], ['unhealthy', port])
  assert.ok(stranger.server.listening)
  await stranger.close()
  await until(() => pinged(endpoint, app).catch(() => undefined), 'the server to be back', 30_000)
  await until(async () => (await platform.instance(id)).status === 'active', 'the instance to be active')
})

test('before its first start an instance takes the next port instead of one that is taken', async () => {
  const next = (await platform.make('before')).port + 1
  const stranger = await listenOn(next)
  const { id } = await platform.make('after')
  const made = await platform.instance(id)
  assert.deepEqual([made.status, made.port], ['active', next + 1])
  await pinged(await endpointOf(platform, id), app)
  assert.ok(stranger.server.listening)
  await stranger.close()
})
