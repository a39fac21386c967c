/** Tenants, shards, nodes and API keys. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { updateInstance } from '../../src/store/instances.ts'
import { startTestApi, type TestApi } from '../support/api.ts'

type View = { id: string; name: string; key?: string; code?: string; detail?: string; errors?: { pointer: string }[] }

const start = async (t: TestContext): Promise<TestApi> => {
  const api = await startTestApi()
  t.after(() => api.close())
  return api
}

test('a tenant: created, read, listed, deleted once it is empty', async (t) => {
  const api = await start(t)
  const made = await api.call<View & { max_instances: number }>('POST', '/tenants', {
    body: { name: 'shop', max_instances: 5 },
  })
  assert.deepEqual([made.status, made.body.max_instances, made.headers.get('location')], [201, 5, null])
  const taken = await api.call<View>('POST', '/tenants', { body: { name: 'shop' } })
  assert.deepEqual([taken.status, taken.body.code], [409, 'name-taken'])
  const path = `/tenants/${made.body.id}`
  assert.equal((await api.call('GET', path)).headers.get('etag'), '"1"')
  const list = await api.call<{ items: View[] }>('GET', '/tenants')
  assert.deepEqual(
    list.body.items.map(({ name }) => name),
    ['default', 'shop'],
  )

  const instance = await api.call<View>('POST', `${path}/valkey-instances`, { body: { name: 'a' } })
  const refused = await api.call<View>('DELETE', path)
  assert.deepEqual([refused.status, refused.body.code], [409, 'not-empty'])
  const key = await api.makeKey({ scopes: ['valkey:read'], tenantId: made.body.id })
  const at = api.now.value.toISOString()
  await api.store.write((tx) =>
    updateInstance(tx, instance.body.id, { status: 'deleted', deletedAt: at, updatedAt: at }),
  )
  const gone = await api.call('DELETE', path)
  assert.deepEqual([gone.status, gone.text], [204, ''])
  assert.equal((await api.call('GET', path)).status, 404)
  assert.equal((await api.call('DELETE', path)).status, 404)
  assert.equal((await api.call('GET', '/valkey-instances', { key })).status, 401)
  assert.equal((await api.call('GET', String(instance.headers.get('location')))).status, 200)
})

test('a shard names nodes that are there, each once, and is deleted once it is empty', async (t) => {
  const api = await start(t)
  const unknown = `nod_${'0'.repeat(32)}`
  for (const [node_ids, pointer] of [
    [[unknown], '/node_ids/0'],
    [[api.nodeId, api.nodeId], '/node_ids/1'],
    [[], '/node_ids'],
  ] as const) {
    const answer = await api.call<View>('POST', '/shards', { body: { name: 's', node_ids } })
    assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [422, pointer])
  }
  const made = await api.call<View>('POST', '/shards', { body: { name: 's', node_ids: [api.nodeId] } })
  assert.equal(made.status, 201, made.text)
  assert.equal((await api.call('POST', '/shards', { body: { name: 's', node_ids: [api.nodeId] } })).status, 409)
  const path = `/shards/${made.body.id}`
  const instance = await api.call<View & { shard_name: string }>('POST', `/tenants/${api.tenantId}/valkey-instances`, {
    body: { name: 'a', shard_id: made.body.id },
  })
  assert.equal(instance.body.shard_name, 's')
  assert.equal((await api.call<View>('DELETE', path)).body.code, 'not-empty')
  assert.equal((await api.call('DELETE', `/shards/${api.shardId}`)).status, 204)
  assert.equal((await api.call('GET', path)).status, 200)
  const nodes = await api.call<{ items: View[] }>('GET', '/nodes')
  assert.deepEqual(
    nodes.body.items.map(({ id }) => id),
    [api.nodeId],
  )
})

test('an API key works with its scopes until it expires or is deleted, and is shown once', async (t) => {
  const api = await start(t)
  const expires_at = '2026-03-01T13:00:00.000Z'
  const made = await api.call<View>('POST', '/api-keys', {
    body: { name: 'ci', scopes: ['valkey:read'], tenant_id: api.tenantId, expires_at },
  })
  assert.equal(made.status, 201, made.text)
  const key = String(made.body.key)
  assert.match(key, /^vk_/)
  assert.equal((await api.call('GET', '/valkey-instances', { key })).status, 200)
  const path = `/api-keys/${made.body.id}`
  for (const at of ['/api-keys', path]) {
    const answer = await api.call('GET', at)
    assert.ok(!answer.text.includes(key) && !answer.text.includes('hash'), answer.text)
  }
  api.now.value = new Date(expires_at)
  assert.equal((await api.call('GET', '/valkey-instances', { key })).status, 401)
  assert.equal((await api.call('DELETE', path)).status, 204)
  assert.equal((await api.call('GET', path)).status, 404)
})

test('an API key: what cannot be asked for, and nobody locks themselves out', async (t) => {
  const api = await start(t)
  const past = '2026-02-01T00:00:00.000Z'
  for (const [body, pointer] of [
    [{ name: 'k', scopes: ['admin'], tenant_id: api.tenantId }, '/scopes'],
    [{ name: 'k', scopes: [] }, '/scopes'],
    [{ name: 'k', scopes: ['root'] }, '/scopes/0'],
    [{ name: 'k', scopes: ['metrics'], tenant_id: `ten_${'0'.repeat(32)}` }, '/tenant_id'],
    [{ name: 'k', scopes: ['metrics'], expires_at: past }, '/expires_at'],
    [{ name: 'k', scopes: ['metrics'], expires_at: 'tomorrow' }, '/expires_at'],
  ] as const) {
    const answer = await api.call<View>('POST', '/api-keys', { body })
    assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [422, pointer], answer.text)
  }
  const [own] = (await api.call<{ items: View[] }>('GET', '/api-keys')).body.items
  const refused = await api.call<View>('DELETE', `/api-keys/${own?.id}`)
  assert.deepEqual([refused.status, refused.body.code], [409, 'wrong-state'])
})
