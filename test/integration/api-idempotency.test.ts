/** Idempotency-Key: the same request once, however often it is sent, and its secret once. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startTestApi } from '../support/api.ts'
import { rowCounts } from '../support/row-counts.ts'

type View = { id: string; code?: string; users?: { password: string }[]; key?: string; secret_already_shown?: boolean }

const start = async (t: TestContext) => {
  const api = await startTestApi()
  t.after(() => api.close())
  const path = `/tenants/${api.tenantId}/valkey-instances`
  const post = (key: string, body: object, at = path) =>
    api.call<View>('POST', at, { body, headers: { 'idempotency-key': key } })
  return { api, path, post }
}

test('50 identical creates at once with one key make one instance', async (t) => {
  const { api, post } = await start(t)
  const body = { name: 'a', users: [{ username: 'u', privileges: ['full'] }] }
  const answers = await Promise.all(Array.from({ length: 50 }, () => post('one', body)))
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202])
  assert.equal(new Set(answers.map(({ body: { id } }) => id)).size, 1)
  assert.equal(new Set(answers.map(({ headers }) => headers.get('location'))).size, 1)
  const withSecret = answers.filter(({ body: { users } }) => users !== undefined)
  assert.equal(withSecret.length, 1)
  assert.equal(answers.filter(({ body: { secret_already_shown } }) => secret_already_shown === true).length, 49)
  const counts = await rowCounts(api.store)
  assert.deepEqual([counts['instances'], counts['operations'], counts['servers'], counts['idempotency']], [1, 1, 1, 1])
  assert.deepEqual(api.wakes, [answers[0]?.body.id])
})

test('another body, or another path, under the same key is 409 and writes nothing', async (t) => {
  const { api, post } = await start(t)
  assert.equal((await post('one', { name: 'a' })).status, 202)
  const before = await rowCounts(api.store, ['audit'])
  for (const [body, at] of [
    [{ name: 'b' }, undefined],
    [{ name: 'a', max_memory_mb: 64 }, undefined],
    [{ name: 'a' }, '/tenants'],
  ] as const) {
    const answer = await post('one', body, at)
    assert.deepEqual([answer.status, answer.body.code], [409, 'idempotency-conflict'])
  }
  assert.deepEqual(await rowCounts(api.store, ['audit']), before)
})

test('a key belongs to its caller, and a refused request may be sent again under it', async (t) => {
  const { api, path, post } = await start(t)
  const other = await api.makeKey()
  const headers = { 'idempotency-key': 'one' }
  assert.equal((await post('one', { name: 'a' })).status, 202)
  const clash = await api.call<View>('POST', path, { body: { name: 'a' }, headers, key: other })
  assert.deepEqual([clash.status, clash.body.code], [409, 'name-taken'])
  const gone = await api.call('DELETE', `/valkey-instances/${(await post('one', { name: 'a' })).body.id}`)
  assert.equal(gone.status, 202)
  const still = await api.call<View>('POST', path, { body: { name: 'a' }, headers, key: other })
  assert.equal(still.status, 409)
  const fine = await api.call<View>('POST', path, { body: { name: 'b' }, headers, key: other })
  assert.equal(fine.status, 202)
})

test("a replay of a key's creation comes without the key, and none of it is at rest", async (t) => {
  const { api, post } = await start(t)
  const body = { name: 'ci', scopes: ['valkey:read'] }
  const first = await post('one', body, '/api-keys')
  const replay = await post('one', body, '/api-keys')
  assert.deepEqual([first.status, replay.status, replay.body.id], [201, 201, first.body.id])
  assert.deepEqual([replay.body.key, replay.body.secret_already_shown], [undefined, true])
  const rows = await api.store.read((db) => db.selectFrom('idempotency').selectAll().execute())
  assert.ok(!JSON.stringify(rows).includes(String(first.body.key)))
})

test('an answer is kept for a day, and no longer', async (t) => {
  const { api, post } = await start(t)
  const first = await post('one', { name: 'a' })
  api.now.value = new Date(api.now.value.getTime() + 86_400_000)
  assert.equal((await post('one', { name: 'a' })).body.id, first.body.id)
  api.now.value = new Date(api.now.value.getTime() + 1)
  assert.equal((await post('two', { name: 'b' })).status, 202)
  assert.equal((await post('one', { name: 'a' })).status, 409)
  assert.equal((await rowCounts(api.store))['idempotency'], 1)
})

test('a key that is no token is 422', async (t) => {
  const { post } = await start(t)
  for (const key of ['', 'a b', 'x'.repeat(256)]) {
    const answer = await post(key, { name: 'a' })
    assert.deepEqual([answer.status, answer.body.code], [422, 'invalid'], JSON.stringify(key))
  }
})
