/** Data files that are gone: no start silently empties an instance. */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { app, makeKillablePlatform, type Operation } from '../support/killable-platform.ts'
import { endpointOf, login } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'

const platform = makeKillablePlatform()

before(() => platform.start())
after(() => platform.remove())

/** A stopped instance with a key. */
async function stopped(name: string) {
  const { id } = await platform.make(name)
  const endpoint = await endpointOf(platform, id)
  const get = async () => {
    await using client = await login(endpoint, app)
    return await client.call(['GET', 'kept'])
  }
  {
    await using client = await login(endpoint, app)
    await client.call(['SET', 'kept', name])
  }
  await platform.done('POST', `/valkey-instances/${id}/stop`)
  const { dataDir } = platform.serverOf(id).layout
  const ask = async (what: string, body?: unknown): Promise<Operation> => {
    const { headers, text } = await platform.call('POST', `/valkey-instances/${id}/${what}`, body ? { body } : {})
    const location = headers.get('location') ?? assert.fail(text)
    return platform.settled(location.slice('/operations/'.length))
  }
  return { id, get, dataDir, aofDir: join(dataDir, 'appendonlydir'), ask }
}

/** The start was refused for this reason, and nothing was touched. */
async function assertRefused(id: string, operation: Operation, code: string, message: RegExp): Promise<void> {
  assert.deepEqual([operation.status, operation.cause?.code], ['failed', code])
  assert.deepEqual(
    operation.steps.map(({ kind }) => kind).filter((kind) => kind === 'start'),
    [],
  )
  const { status, status_message, health } = await platform.instance(id)
  assert.deepEqual([status, health], ['failed', 'unhealthy'])
  assert.match(status_message ?? '', message)
  assert.deepEqual(platform.serverPids(id), [])
}

test('the manifest of the append-only file is gone', async () => {
  const { id, get, dataDir, aofDir, ask } = await stopped('manifest')
  const manifest = join(aofDir, 'appendonly.aof.manifest')
  renameSync(manifest, join(dataDir, 'away'))
  const before = readdirSync(aofDir).toSorted()
  await assertRefused(id, await ask('start'), 'data-unsafe', /no appendonly\.aof\.manifest.*put the missing files back/)
  await assertRefused(id, await ask('retry', { accept_data: 'rdb' }), 'data-unsafe', /no appendonly\.aof\.manifest/)
  await assertRefused(id, await ask('retry', { accept_data: 'empty' }), 'data-unsafe', /no appendonly\.aof\.manifest/)
  assert.deepEqual(readdirSync(aofDir).toSorted(), before)
  renameSync(join(dataDir, 'away'), manifest)
  await until(async () => {
    if ((await platform.instance(id)).status === 'failed') await platform.call('POST', `/valkey-instances/${id}/retry`)
    return (await platform.instance(id)).status === 'active'
  }, 'the instance to be active')
  assert.equal(await get(), 'manifest')
})

test('the append-only file is gone and a snapshot is left: started from it only where that is accepted', async () => {
  const { id, get, dataDir, aofDir, ask } = await stopped('snapshot')
  assert.ok(readdirSync(dataDir).includes('dump.rdb'), 'SIGTERM saves')
  rmSync(aofDir, { recursive: true })
  await assertRefused(id, await ask('start'), 'data-aof-gone', /accept_data "rdb"/)
  await assertRefused(id, await ask('retry'), 'data-aof-gone', /accept_data "rdb"/)
  await assertRefused(id, await ask('retry', { accept_data: 'empty' }), 'data-aof-gone', /accept_data "rdb"/)
  const accepted = await ask('retry', { accept_data: 'rdb' })
  assert.equal(accepted.status, 'succeeded', JSON.stringify(accepted.cause))
  assert.equal(await get(), 'snapshot')
  const written = readdirSync(aofDir)
  assert.ok(written.includes('appendonly.aof.manifest'), 'it appends again')
  // Twice: the second start reads what the first has written.
  assert.equal((await ask('stop')).status, 'succeeded')
  assert.equal((await ask('start')).status, 'succeeded')
  assert.equal(await get(), 'snapshot')
})

test('the data directory is empty: started empty only where that is accepted, and only then', async () => {
  const { id, get, dataDir, ask } = await stopped('emptied')
  rmSync(dataDir, { recursive: true })
  mkdirSync(dataDir, { mode: 0o700 })
  await assertRefused(id, await ask('start'), 'data-gone', /accept_data "empty"/)
  await assertRefused(id, await ask('retry', { accept_data: 'rdb' }), 'data-gone', /accept_data "empty"/)
  const accepted = await ask('retry', { accept_data: 'empty' })
  assert.equal(accepted.status, 'succeeded', JSON.stringify(accepted.cause))
  assert.equal(await get(), null)
  assert.equal((await ask('stop')).status, 'succeeded')
  rmSync(dataDir, { recursive: true })
  await assertRefused(id, await ask('start'), 'data-gone', /accept_data "empty"/)
})

test('the data of a server that was killed while nobody looked is gone: it is not started empty', async () => {
  const { id, dataDir, ask } = await stopped('lost')
  assert.equal((await ask('start')).status, 'succeeded')
  const [pid] = platform.serverPids(id)
  assert.ok(pid)
  await platform.kill9()
  process.kill(pid, 'SIGKILL')
  await until(() => platform.serverPids(id).length === 0, 'the server to be gone')
  rmSync(dataDir, { recursive: true })
  await platform.start()
  await until(async () => (await platform.instance(id)).status === 'failed', 'the instance to be given up', 20_000)
  const [repair] = await platform.operations(id)
  assert.equal(repair?.kind, 'repair')
  await assertRefused(id, repair, 'data-gone', /accept_data "empty"/)
})
