/** Instances over real HTTP and the real store: what is written, what is refused, what is put back. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { updateInstance } from '../../src/store/instances.ts'
import { findSecrets } from '../../src/store/secrets.ts'
import { serversOfInstances } from '../../src/store/servers.ts'
import { usersOfInstance } from '../../src/store/users.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { startTestApi, type TestApi, type TestApiOptions } from '../support/api.ts'
import { rowCounts } from '../support/row-counts.ts'

type View = {
  id: string
  name: string
  status: string
  generation: number
  observed_generation: number
  max_memory_mb: number
  port: number
  settings: Record<string, unknown>
  desired_state: string
  tenant_id: string | null
  users?: { id: string; username: string; password: string }[]
  code?: string
  detail?: string
  errors?: { pointer: string; code: string }[]
}
type Op = { id: string; kind: string; status: string; target_generation: number; cause: { code: string } | null }

const start = async (t: TestContext, options: TestApiOptions = {}) => {
  const api = await startTestApi(options)
  t.after(() => api.close())
  return api
}

const create = (api: TestApi, body: object, tenantId = api.tenantId) =>
  api.call<View>('POST', `/tenants/${tenantId}/valkey-instances`, { body })

const operationOf = async (api: TestApi, answer: { headers: Headers }) =>
  (await api.call<Op>('GET', String(answer.headers.get('location')))).body

/** What the driver would write once it is served. */
const activate = (api: TestApi, id: string, status: 'active' | 'failed' = 'active') =>
  api.store.write((tx) => updateInstance(tx, id, { status, everActive: true, updatedAt: api.now.value.toISOString() }))

test('a create writes everything at once, answers 202 and wakes the driver', async (t) => {
  const api = await start(t)
  const users = [
    { username: 'given', password: 'secretpass123', privileges: ['+@ALL'], key_pattern: '~myapp:*' },
    { username: 'generated', privileges: ['read-only'] },
  ]
  const made = await create(api, { name: 'myapp-cache', max_memory_mb: 128, users })
  assert.equal(made.status, 202, made.text)
  assert.equal(made.headers.get('etag'), '"1"')
  const { id } = made.body
  const expected = { name: 'myapp-cache', status: 'pending', generation: 1, observed_generation: 0, max_memory_mb: 128 }
  assert.deepEqual({ ...made.body, ...expected }, made.body)
  assert.deepEqual(api.wakes, [id])
  assert.deepEqual(
    made.body.users?.map(({ username }) => username),
    ['generated'],
  )
  const operation = await operationOf(api, made)
  assert.deepEqual([operation.kind, operation.status, operation.target_generation], ['create', 'pending', 1])

  const { rows, server, sealed } = await api.store.read(async (db) => {
    const rows = await usersOfInstance(db, id)
    const [server] = await serversOfInstances(db, [id])
    assert.ok(server)
    const refs = [server.adminSecretId, server.replicationSecretId, server.monitorSecretId]
    return { rows, server, sealed: await findSecrets(db, [...refs, ...rows.map((row) => row.passwordSecretId)]) }
  })
  assert.equal(server.port, made.body.port)
  assert.equal(server.certificate, null)
  assert.equal(sealed.size, 5)
  const plain = (ref: string) => {
    const secret = sealed.get(ref)
    assert.ok(secret)
    return api.control.vault.unseal(secret, ref).toString()
  }
  const given = rows.find((row) => row.username === 'given')
  assert.ok(given)
  assert.equal(plain(given.passwordSecretId), sha256Hex('secretpass123'))
  assert.deepEqual(given.privileges, ['+@all'])
  const generated = rows.find((row) => row.username === 'generated')
  assert.equal(plain(String(generated?.passwordSecretId)), sha256Hex(String(made.body.users?.[0]?.password)))
  assert.equal(new Set([server.adminSecretId, server.replicationSecretId, server.monitorSecretId].map(plain)).size, 3)

  const again = await create(api, { name: 'myapp-cache' })
  assert.deepEqual([again.status, again.body.code, again.body.errors?.[0]?.pointer], [409, 'name-taken', '/name'])
  const elsewhere = await create(api, { name: 'myapp-cache' }, await api.makeTenant('other'))
  assert.equal(elsewhere.status, 202)
})

test('a full node is 409 with both numbers and nothing written', async (t) => {
  const api = await start(t, { capacityMb: 100 })
  assert.equal((await create(api, { name: 'a', max_memory_mb: 70 })).status, 202)
  const before = await rowCounts(api.store, ['audit'])
  const full = await create(api, { name: 'b', max_memory_mb: 31 })
  assert.deepEqual([full.status, full.body.code], [409, 'no-room'])
  assert.match(String(full.body.detail), /31 MiB.*30 MiB left of 100 MiB/)
  assert.deepEqual(await rowCounts(api.store, ['audit']), before)
  assert.equal((await create(api, { name: 'b', max_memory_mb: 30 })).status, 202)
  const node = await api.call<{ reserved_mb: number; capacity_mb: number }>('GET', `/nodes/${api.nodeId}`)
  assert.deepEqual([node.body.reserved_mb, node.body.capacity_mb], [100, 100])
})

test("a tenant's limits hold for creates, growth and reassignment", async (t) => {
  const api = await start(t)
  const small = await api.makeTenant('small', { instances: 1, memoryMb: 100 })
  const over = await create(api, { name: 'a', max_memory_mb: 101 }, small)
  assert.deepEqual([over.status, over.body.code], [409, 'limit-reached'])
  assert.match(String(over.body.detail), /101 MiB.*0 MiB of at most 100 MiB/)
  const made = await create(api, { name: 'a', max_memory_mb: 90 }, small)
  assert.equal(made.status, 202)
  const path = `/valkey-instances/${made.body.id}`
  const grown = await api.call<View>('PATCH', path, { body: { max_memory_mb: 111 } })
  assert.deepEqual([grown.status, grown.body.code], [409, 'limit-reached'])
  assert.equal((await api.call('PATCH', path, { body: { max_memory_mb: 100 } })).status, 202)
  const second = await create(api, { name: 'b' })
  const body = { tenant_id: small }
  const moved = await api.call<View>('PUT', `/valkey-instances/${second.body.id}/tenant`, { body })
  assert.deepEqual([moved.status, moved.body.code], [409, 'limit-reached'])
})

test('no free port is 409; a smaller shard is asked for by id; an unknown one is 422', async (t) => {
  const api = await start(t, { ports: [21_000, 21_001] })
  for (const name of ['a', 'b']) assert.equal((await create(api, { name })).status, 202)
  const third = await create(api, { name: 'c', shard_id: api.shardId })
  assert.deepEqual([third.status, third.body.code], [409, 'no-port'])
  const unknown = await create(api, { name: 'c', shard_id: `shd_${'0'.repeat(32)}` })
  assert.deepEqual([unknown.status, unknown.body.errors?.[0]?.pointer], [422, '/shard_id'])
})

test('a patch is a new generation; a newer one supersedes it; protection alone needs no operation', async (t) => {
  const api = await start(t)
  const { id } = (await create(api, { name: 'a' })).body
  await activate(api, id)
  const path = `/valkey-instances/${id}`
  const first = await api.call<View>('PATCH', path, { body: { max_memory_mb: 100 } })
  const second = await api.call<View>('PATCH', path, { body: { settings: { appendfsync: 'always' } } })
  assert.deepEqual(
    [second.body.generation, second.body.max_memory_mb, second.body.settings],
    [3, 100, { appendfsync: 'always' }],
  )
  assert.equal((await operationOf(api, first)).status, 'superseded')
  assert.equal((await operationOf(api, second)).status, 'pending')
  const protection = await api.call<View>('PATCH', path, { body: { deletion_protection: true } })
  assert.deepEqual([protection.status, protection.headers.get('location'), protection.body.generation], [202, null, 3])
  const refused = await api.call<View>('DELETE', path)
  assert.deepEqual([refused.status, refused.body.code], [409, 'protected'])
  const tooNew = await api.call<View>('PATCH', path, { body: { settings: { commandlog_large_request_max_len: 5 } } })
  assert.deepEqual(
    [tooNew.status, tooNew.body.errors?.[0]?.pointer],
    [422, '/settings/commandlog_large_request_max_len'],
  )
  await api.call('PATCH', path, { body: { settings: { databases: 32 } } })
  const fewer = await api.call<View>('PATCH', path, { body: { settings: { databases: 16 } } })
  assert.deepEqual([fewer.status, fewer.body.errors?.[0]?.pointer], [422, '/settings/databases'])
})

test('If-Match: only the revision that the change is based on, on every route that changes one thing', async (t) => {
  const api = await start(t)
  const { id } = (await create(api, { name: 'a' })).body
  const path = `/valkey-instances/${id}`
  const etag = String((await api.call('GET', path)).headers.get('etag'))
  const attempts: [string, string, object | undefined][] = [
    ['PATCH', path, { max_memory_mb: 65 }],
    ['PUT', `${path}/tenant`, { tenant_id: null }],
    ['DELETE', path, undefined],
    ['DELETE', `/tenants/${api.tenantId}`, undefined],
    ['DELETE', `/shards/${api.shardId}`, undefined],
  ]
  for (const [method, at, body] of attempts)
    for (const tag of ['"999"', 'W/"1"', 'nonsense', '']) {
      const answer = await api.call<View>(method, at, { body, headers: { 'if-match': tag } })
      assert.deepEqual([answer.status, answer.body.code], [412, 'precondition-failed'], `${method} ${at} ${tag}`)
    }
  const fine = await api.call<View>('PATCH', path, {
    body: { max_memory_mb: 65 },
    headers: { 'if-match': `"7", ${etag}` },
  })
  assert.equal(fine.status, 202)
  const stale = await api.call('PATCH', path, { body: { max_memory_mb: 66 }, headers: { 'if-match': etag } })
  assert.equal(stale.status, 412)
  const any = await api.call('PATCH', path, { body: { max_memory_mb: 66 }, headers: { 'if-match': '*' } })
  assert.equal(any.status, 202)
})

test('stop and start change what is desired; delete is final and supersedes what was open', async (t) => {
  const api = await start(t)
  const { id } = (await create(api, { name: 'a' })).body
  await activate(api, id)
  const path = `/valkey-instances/${id}`
  const stop = await api.call<View>('POST', `${path}/stop`)
  assert.deepEqual([stop.status, stop.body.desired_state, stop.body.generation], [202, 'stopped', 2])
  const begun = await api.call<View>('POST', `${path}/start`, { body: {} })
  assert.deepEqual([begun.body.desired_state, begun.body.generation], ['running', 3])
  assert.equal((await operationOf(api, stop)).status, 'superseded')
  const gone = await api.call<View>('DELETE', path)
  assert.deepEqual([gone.status, gone.body.status], [202, 'deleting'])
  assert.equal((await operationOf(api, begun)).status, 'superseded')
  for (const [method, at, body] of [
    ['DELETE', path, undefined],
    ['PATCH', path, { max_memory_mb: 70 }],
    ['POST', `${path}/stop`, undefined],
    ['POST', `${path}/retry`, undefined],
    ['PUT', `${path}/tenant`, { tenant_id: null }],
    ['POST', `${path}/users`, { username: 'u', privileges: ['full'] }],
    ['POST', `${path}/sessions`, undefined],
  ] as const) {
    const answer = await api.call<View>(method, at, { body })
    assert.deepEqual([answer.status, answer.body.code], [409, 'wrong-state'], `${method} ${at}`)
  }
  const at = api.now.value.toISOString()
  await api.store.write((tx) => updateInstance(tx, id, { status: 'deleted', deletedAt: at, updatedAt: at }))
  assert.equal((await api.call('GET', path)).status, 404)
  assert.equal((await operationOf(api, gone)).kind, 'delete')
})

test('a retry resumes what failed last, and only where something failed', async (t) => {
  const api = await start(t)
  const made = await create(api, { name: 'a' })
  const path = `/valkey-instances/${made.body.id}`
  const early = await api.call<View>('POST', `${path}/retry`)
  assert.deepEqual([early.status, early.body.code], [409, 'wrong-state'])
  await api.settle((await operationOf(api, made)).id, 'failed')
  await activate(api, made.body.id, 'failed')
  const retried = await api.call<View>('POST', `${path}/retry`, { body: { accept_data: 'rdb' } })
  assert.equal((await operationOf(api, retried)).kind, 'create')

  await activate(api, made.body.id)
  const gone = await api.call<View>('DELETE', path)
  await api.settle((await operationOf(api, gone)).id, 'failed')
  await activate(api, made.body.id, 'failed')
  const patched = await api.call<View>('PATCH', path, { body: { max_memory_mb: 65 } })
  assert.deepEqual([patched.status, patched.body.code], [409, 'wrong-state'], 'a deletion is final')
  const resumed = await api.call<View>('POST', `${path}/retry`)
  assert.deepEqual([resumed.body.status, (await operationOf(api, resumed)).kind], ['deleting', 'delete'])
})

test('reassigning moves the instance and its operations, at once', async (t) => {
  const api = await start(t)
  const other = await api.makeTenant('other')
  const key = await api.makeKey({ scopes: ['valkey:read'], tenantId: other })
  const made = await create(api, { name: 'a' })
  await create(api, { name: 'taken' }, other)
  const clash = await create(api, { name: 'taken' })
  const put = (id: string, tenant_id: string | null) =>
    api.call<View>('PUT', `/valkey-instances/${id}/tenant`, { body: { tenant_id } })
  const refused = await put(clash.body.id, other)
  assert.deepEqual([refused.status, refused.body.code], [409, 'name-taken'])
  const unknown = await put(made.body.id, `ten_${'0'.repeat(32)}`)
  assert.deepEqual([unknown.status, unknown.body.errors?.[0]?.pointer], [422, '/tenant_id'])

  const location = String(made.headers.get('location'))
  assert.equal((await api.call('GET', location, { key })).status, 404)
  const moved = await put(made.body.id, other)
  assert.deepEqual([moved.status, moved.body.tenant_id, moved.headers.get('location')], [200, other, null])
  assert.equal((await api.call('GET', location, { key })).status, 200)
  assert.equal((await api.call('GET', `/valkey-instances/${made.body.id}`, { key })).status, 200)

  assert.equal((await put(made.body.id, null)).body.tenant_id, null)
  assert.equal((await api.call('GET', `/valkey-instances/${made.body.id}`, { key })).status, 404)
  const all = await api.call<{ items: View[] }>('GET', '/valkey-instances')
  assert.ok(all.body.items.some(({ id, tenant_id }) => id === made.body.id && tenant_id === null))
})

test('lists go page by page and know their own cursors only', async (t) => {
  const api = await start(t)
  for (const name of ['a', 'b', 'c', 'd', 'e']) await create(api, { name })
  const names: string[] = []
  let cursor: string | null = null
  do {
    const at: string = cursor === null ? '' : `&cursor=${cursor}`
    const page = await api.call<{ items: View[]; next_cursor: string | null; has_more: boolean }>(
      'GET',
      `/valkey-instances?limit=2${at}`,
    )
    assert.equal(page.body.has_more, page.body.next_cursor !== null)
    names.push(...page.body.items.map(({ name }) => name))
    cursor = page.body.next_cursor
  } while (cursor !== null)
  assert.deepEqual(names, ['a', 'b', 'c', 'd', 'e'])
  const operations = await api.call<{ items: Op[]; next_cursor: string }>('GET', '/operations?limit=1&status=pending')
  assert.equal(operations.body.items.length, 1)
  for (const bad of [operations.body.next_cursor, 'x', '%00', 'a'.repeat(600), '']) {
    const answer = await api.call<View>('GET', `/valkey-instances?cursor=${bad}`)
    assert.deepEqual([answer.status, answer.body.errors?.[0]?.pointer], [422, '?cursor'], bad)
  }
})

test('/connection tells a client all it needs and no secret', async (t) => {
  const api = await start(t)
  const made = await create(api, { name: 'a' })
  const answer = await api.call<Record<string, unknown>>('GET', `/valkey-instances/${made.body.id}/connection`)
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual([answer.body['host'], answer.body['port'], answer.body['tls']], ['127.0.0.1', made.body.port, true])
  assert.match(String(answer.body['ca_pem']), /^-----BEGIN CERTIFICATE-----/)
  assert.deepEqual(Object.keys(answer.body['snippets'] as object), ['valkey-cli', 'node', 'python', 'go'])
})

test('a name is looked up in its tenant without reading the list', async (t) => {
  const api = await startTestApi()
  t.after(() => api.close())
  const path = `/tenants/${api.tenantId}/valkey-instances`
  for (const name of ['a', 'b']) assert.equal((await api.call('POST', path, { body: { name } })).status, 202)
  type Names = { items: { name: string }[]; next_cursor: string | null; has_more: boolean }
  const named = async (name: string) => (await api.call<Names>('GET', `${path}?name=${name}`)).body
  assert.deepEqual(
    (await named('b')).items.map((item) => item.name),
    ['b'],
  )
  assert.deepEqual(await named('c'), { items: [], next_cursor: null, has_more: false })
  assert.equal((await api.call('GET', `${path}?name=A_B`)).status, 422)
})
