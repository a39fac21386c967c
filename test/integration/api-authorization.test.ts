/** Every endpoint, listed from the app itself: who may not, is told so, and nothing changes. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Endpoint } from '../../src/api/authenticate.ts'
import { type Scope, scopes } from '../../src/domain/model/common.ts'
import { listAuditRows } from '../../src/store/audit.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { rowCounts } from '../support/row-counts.ts'

let api: TestApi
let ids: Record<string, string>
let guarded: Endpoint[]

before(async () => {
  api = await startTestApi()
  const users = [{ username: 'app', privileges: ['read-write'] }]
  const made = await api.call<{ id: string; users: { id: string }[] }>(
    'POST',
    `/tenants/${api.tenantId}/valkey-instances`,
    { body: { name: 'mine', users } },
  )
  assert.equal(made.status, 202, made.text)
  ids = {
    tenants: api.tenantId,
    'valkey-instances': made.body.id,
    'valkey-users': String(made.body.users[0]?.id),
    operations: String(made.headers.get('location')).replace('/operations/', ''),
    shards: api.shardId,
    nodes: api.nodeId,
  }
  const keys = await api.call<{ items: { id: string }[] }>('GET', '/api-keys')
  ids['api-keys'] = String(keys.body.items[0]?.id)
  guarded = api.app.endpoints.filter(({ scope }) => scope !== 'public')
})
after(() => api.close())

/** The route's path with real ids in it: only the caller is wrong. */
const pathOf = ({ url }: Endpoint) =>
  url.replace(/\/([a-z-]+)\/:[A-Za-z]+/g, (_, noun: string) => `/${noun}/${ids[noun]}`)

const refused = async (endpoint: Endpoint, key: string | null, status: number, code: string) => {
  const body = ['POST', 'PUT', 'PATCH'].includes(endpoint.method) ? { body: {} } : {}
  const answer = await api.call<{ code: string }>(endpoint.method, pathOf(endpoint), { key, ...body })
  assert.equal(answer.status, status, `${endpoint.method} ${endpoint.url}: ${answer.text}`)
  if (endpoint.method === 'HEAD') return
  assert.match(String(answer.headers.get('content-type')), /^application\/problem\+json/)
  assert.equal(answer.body.code, code)
}

test('there are endpoints, and only these few are public', () => {
  assert.ok(guarded.length >= 35, String(guarded.length))
  const open = api.app.endpoints.filter(({ scope, method }) => scope === 'public' && method === 'GET')
  const expected = ['/docs', '/docs/', '/docs/js/scalar.js', '/healthz', '/openapi.json', '/readyz']
  assert.deepEqual(open.map(({ url }) => url).sort(), expected)
})

test('nobody without a valid key', async () => {
  const past = new Date(api.now.value.getTime() - 1000).toISOString()
  const expired = await api.makeKey({ scopes: [...scopes], expiresAt: past })
  const before = await rowCounts(api.store, ['audit'])
  for (const endpoint of guarded) {
    await refused(endpoint, null, 401, 'unauthenticated')
    await refused(endpoint, `vk_${'x'.repeat(43)}`, 401, 'unauthenticated')
    await refused(endpoint, expired, 401, 'unauthenticated')
  }
  assert.deepEqual(await rowCounts(api.store, ['audit']), before)
})

test('nobody with every scope but the one that is needed', async () => {
  const before = await rowCounts(api.store, ['audit', 'api_keys'])
  const keys = new Map<string, string>()
  for (const scope of scopes) {
    const others: Scope[] = scopes.filter((each) => each !== scope && each !== 'admin')
    keys.set(scope, await api.makeKey({ scopes: others }))
  }
  for (const endpoint of guarded) await refused(endpoint, String(keys.get(endpoint.scope)), 403, 'forbidden')
  assert.deepEqual(await rowCounts(api.store, ['audit', 'api_keys']), before)
})

test('for a key of another tenant there is nothing there', async () => {
  const stranger = await api.makeTenant('stranger')
  const key = await api.makeKey({
    scopes: ['valkey:read', 'valkey:write', 'valkey:delete', 'metrics'],
    tenantId: stranger,
  })
  const before = await rowCounts(api.store, ['audit'])
  for (const endpoint of guarded) {
    if (endpoint.scope === 'admin' || endpoint.scope === 'metrics') await refused(endpoint, key, 403, 'forbidden')
    else if (endpoint.url.includes(':')) await strangerSeesNothing(endpoint, key)
    else {
      const answer = await api.call<{ items: unknown[] }>(endpoint.method, endpoint.url, { key })
      assert.equal(answer.status, 200)
      if (endpoint.method === 'GET') assert.deepEqual(answer.body.items, [], endpoint.url)
    }
  }
  assert.deepEqual(await rowCounts(api.store, ['audit']), before)
})

/** With a body that is fine: what is left to refuse is the tenant. */
async function strangerSeesNothing(endpoint: Endpoint, key: string): Promise<void> {
  const bodies: Record<string, object> = {
    '/tenants/:tenantID/valkey-instances': { name: 'theirs' },
    '/valkey-instances/:instanceID/users': { username: 'theirs', privileges: ['full'] },
  }
  const writes = ['POST', 'PUT', 'PATCH'].includes(endpoint.method)
  const body = writes ? { body: bodies[endpoint.url] ?? {} } : {}
  const answer = await api.call(endpoint.method, pathOf(endpoint), { key, ...body })
  assert.equal(answer.status, 404, `${endpoint.method} ${endpoint.url}: ${answer.text}`)
}

test('a tenant key sees its own tenant, and a list of all is a list of its own', async () => {
  const key = await api.makeKey({ scopes: ['valkey:read'], tenantId: api.tenantId })
  for (const path of ['/valkey-instances', `/tenants/${api.tenantId}/valkey-instances`]) {
    const answer = await api.call<{ items: { id: string }[] }>('GET', path, { key })
    assert.deepEqual(
      answer.body.items.map(({ id }) => id),
      [ids['valkey-instances']],
    )
  }
  const one = await api.call('GET', `/valkey-instances/${ids['valkey-instances']}`, { key })
  assert.equal(one.status, 200)
})

test('refused changes are in the audit trail, with who and what, and reads are not', async () => {
  const key = await api.makeKey({ scopes: ['valkey:read'] })
  const path = `/valkey-instances/${ids['valkey-instances']}`
  const answer = await api.call('DELETE', path, { key })
  assert.equal(answer.status, 403)
  await api.call('GET', '/tenants', { key })
  const { items } = await api.store.read((db) => listAuditRows(db, { limit: 1, cursor: null }))
  const [row] = items
  assert.equal(row?.action, 'DELETE /valkey-instances/:id')
  assert.equal(row?.target, path)
  assert.equal(row?.outcome, 'refused')
  assert.equal(row?.requestId, answer.headers.get('x-request-id'))
  assert.match(String(row?.actor), /^key:k-/)
})
