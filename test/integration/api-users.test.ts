/** Users, sessions, cancels and waits over real HTTP and the real store. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { updateInstance } from '../../src/store/instances.ts'
import { openOperations } from '../../src/store/operations.ts'
import { findSecrets } from '../../src/store/secrets.ts'
import { findUser, updateUser } from '../../src/store/users.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { startTestApi, type TestApi, type TestApiOptions } from '../support/api.ts'

type View = {
  id: string
  username: string
  password?: string
  status: string
  generation: number
  privileges: string[]
  key_pattern: string
  channel_pattern: string | null
  max_memory_mb: number
  desired_state: string
  expires_at: string
  status_message: string | null
  code?: string
  errors?: { pointer: string }[]
  operation_id?: string
}
type Op = { id: string; kind: string; status: string; user_id: string | null; cause: { code: string } | null }

const now = (api: TestApi) => api.now.value.toISOString()

async function start(t: TestContext, options: TestApiOptions = {}) {
  const api = await startTestApi(options)
  t.after(() => api.close())
  const made = await api.call<View>('POST', `/tenants/${api.tenantId}/valkey-instances`, { body: { name: 'a' } })
  const { id } = made.body
  const created = String(made.headers.get('location')).replace('/operations/', '')
  return { api, id, created, path: `/valkey-instances/${id}` }
}

const running = (api: TestApi, id: string) =>
  api.store.write((tx) =>
    updateInstance(tx, id, { status: 'active', everActive: true, observedGeneration: 1, updatedAt: now(api) }),
  )

const operationOf = async (api: TestApi, answer: { headers: Headers }) =>
  (await api.call<Op>('GET', String(answer.headers.get('location')))).body

async function digestOf(api: TestApi, userId: string): Promise<string> {
  const user = await api.store.read((db) => findUser(db, userId))
  assert.ok(user)
  const sealed = (await api.store.read((db) => findSecrets(db, [user.passwordSecretId]))).get(user.passwordSecretId)
  assert.ok(sealed)
  return api.control.vault.unseal(sealed, user.passwordSecretId).toString()
}

test('a user is created with defaults, its generated password shown once', async (t) => {
  const { api, path } = await start(t)
  const body = { username: 'readonly_user', privileges: ['+@read', '+GET'] }
  const made = await api.call<View>('POST', `${path}/users`, { body })
  assert.equal(made.status, 202, made.text)
  assert.deepEqual(
    [made.body.privileges, made.body.key_pattern, made.body.channel_pattern],
    [['+@read', '+get'], '~*', null],
  )
  assert.equal(await digestOf(api, made.body.id), sha256Hex(String(made.body.password)))
  assert.equal((await operationOf(api, made)).kind, 'user-create')
  const given = await api.call<View>('POST', `${path}/users`, {
    body: { username: 'given', password: 'readonlypass123', privileges: ['full'] },
  })
  assert.equal(given.body.password, undefined)
  const taken = await api.call<View>('POST', `${path}/users`, { body })
  assert.deepEqual([taken.status, taken.body.code], [409, 'name-taken'])
  for (const at of [`${path}/users`, `/valkey-users/${made.body.id}`]) {
    const answer = await api.call('GET', at)
    assert.equal(answer.status, 200)
    assert.ok(!answer.text.includes('password'), answer.text)
  }
})

test('an update changes only what it carries; cancelled, everything is as it was', async (t) => {
  const { api, path } = await start(t)
  const body = { username: 'u', password: 'first-password-1', privileges: ['+@read'], channel_pattern: '&news:*' }
  const { id } = (await api.call<View>('POST', `${path}/users`, { body })).body
  const at = `/valkey-users/${id}`
  const first = await api.call<View>('PUT', at, { body: { key_pattern: '~app:*' } })
  assert.equal(first.status, 202, first.text)
  const expected = { generation: 2, privileges: ['+@read'], key_pattern: '~app:*', channel_pattern: '&news:*' }
  assert.deepEqual({ ...first.body, ...expected }, first.body)
  assert.equal(await digestOf(api, id), sha256Hex('first-password-1'))

  const second = await api.call<View>('PUT', at, { body: { password: 'second-password-2', channel_pattern: null } })
  assert.deepEqual([second.body.generation, second.body.channel_pattern], [3, null])
  assert.equal(await digestOf(api, id), sha256Hex('second-password-2'))
  const superseded = await operationOf(api, first)
  assert.equal(superseded.status, 'superseded')

  const late = await api.call<View>('POST', `/operations/${superseded.id}/cancel`)
  assert.deepEqual([late.status, late.body.code], [409, 'wrong-state'])
  const cancel = await api.call<Op>('POST', `${second.headers.get('location')}/cancel`)
  assert.deepEqual([cancel.status, cancel.body.status, cancel.body.cause?.code], [202, 'cancelled', 'cancelled'])
  const restored = await api.call<View>('GET', at)
  assert.deepEqual({ ...restored.body, ...expected, generation: 4 }, restored.body)
  assert.equal(await digestOf(api, id), sha256Hex('first-password-1'))
})

test('a cancel puts memory, settings and power back; of a create it leaves a failed target', async (t) => {
  const { api, id, path, created } = await start(t, { capacityMb: 200 })
  const cancelled = await api.call<Op>('POST', `/operations/${created}/cancel`)
  assert.equal(cancelled.body.status, 'cancelled')
  const failed = await api.call<View>('GET', path)
  assert.equal(failed.body.status, 'failed')
  assert.match(String(failed.body.status_message), /cancelled by key:/)
  const retried = await api.call<View>('POST', `${path}/retry`)
  assert.equal((await operationOf(api, retried)).kind, 'create')

  await running(api, id)
  const patch = await api.call<View>('PATCH', path, { body: { max_memory_mb: 200, settings: { hz: 20 } } })
  assert.equal(patch.status, 202, patch.text)
  const stop = await api.call<View>('POST', `${path}/stop`)
  const older = await api.call<View>('POST', `${patch.headers.get('location')}/cancel`)
  assert.deepEqual([older.status, older.body.code], [409, 'wrong-state'])
  for (const answer of [stop, patch]) {
    const cancel = await api.call<Op>('POST', `${answer.headers.get('location')}/cancel`)
    assert.equal(cancel.status, 202, cancel.text)
  }
  const back = await api.call<View & { settings: object }>('GET', path)
  assert.deepEqual([back.body.max_memory_mb, back.body.settings, back.body.desired_state], [64, {}, 'running'])
  const node = await api.call<{ reserved_mb: number }>('GET', `/nodes/${api.nodeId}`)
  assert.equal(node.body.reserved_mb, 64)
  const gone = await api.call('DELETE', path)
  const refused = await api.call<View>('POST', `${gone.headers.get('location')}/cancel`)
  assert.deepEqual([refused.status, refused.body.code], [409, 'wrong-state'])
})

test('a deleted user supersedes its updates; a failed delete resumes as a delete', async (t) => {
  const { api, path } = await start(t)
  const made = await api.call<View>('POST', `${path}/users`, { body: { username: 'u', privileges: ['full'] } })
  const at = `/valkey-users/${made.body.id}`
  const gone = await api.call<View>('DELETE', at)
  assert.deepEqual([gone.status, gone.body.status], [202, 'deleting'])
  assert.equal((await operationOf(api, made)).status, 'superseded')
  assert.equal((await api.call('DELETE', at)).status, 409)
  assert.equal((await api.call('PUT', at, { body: { privileges: ['full'] } })).status, 409)
  assert.equal((await api.call('POST', `${at}/retry`)).status, 409)
  await api.settle((await operationOf(api, gone)).id, 'failed')
  await api.store.write((tx) => updateUser(tx, made.body.id, { status: 'failed', updatedAt: now(api) }))
  const late = await api.call<View>('PUT', at, { body: { privileges: ['full'] } })
  assert.deepEqual([late.status, late.body.code], [409, 'wrong-state'], 'a deletion is final')
  const retried = await api.call<View>('POST', `${at}/retry`)
  assert.deepEqual([retried.body.status, (await operationOf(api, retried)).kind], ['deleting', 'user-delete'])
  await api.store.write((tx) =>
    updateUser(tx, made.body.id, { status: 'deleted', deletedAt: now(api), updatedAt: now(api) }),
  )
  assert.equal((await api.call('GET', at)).status, 404)
  assert.equal((await operationOf(api, retried)).user_id, made.body.id)
})

/** Resolves with the instance's open operation of that kind, once there is one. */
async function opened(api: TestApi, instanceId: string, kind: string): Promise<string> {
  for (;;) {
    const open = await api.store.read((db) => openOperations(db, instanceId))
    const found = open.find((operation) => operation.kind === kind)
    if (found) return found.id
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('a session answers once it is served, is not listed, and can be ended before its time', async (t) => {
  const { api, id, path } = await start(t)
  const early = await api.call<View>('POST', `${path}/sessions`)
  assert.deepEqual([early.status, early.body.code], [409, 'wrong-state'])
  await running(api, id)
  const headers = { 'idempotency-key': 'one' }
  const pending = api.call<View>('POST', `${path}/sessions`, { body: { ttl_s: 60 }, headers })
  const operationId = await opened(api, id, 'session-create')
  await api.settle(operationId, 'succeeded')
  const session = await pending
  assert.equal(session.status, 201, session.text)
  assert.match(session.body.username, /^valkeep-session-[0-9a-f]{16}$/)
  assert.deepEqual([session.body.privileges, session.body.expires_at], [['read-only'], '2026-03-01T12:01:00.000Z'])
  assert.equal(await digestOf(api, session.body.id), sha256Hex(String(session.body.password)))
  const replay = await api.call<View & { secret_already_shown: boolean }>('POST', `${path}/sessions`, {
    body: { ttl_s: 60 },
    headers,
  })
  const shown = [replay.status, replay.body.id, replay.body.password, replay.body.secret_already_shown]
  assert.deepEqual(shown, [201, session.body.id, undefined, true])

  const list = await api.call<{ items: View[] }>('GET', `${path}/users`)
  assert.deepEqual(list.body.items, [])
  const at = `/valkey-users/${session.body.id}`
  assert.equal((await api.call('PUT', at, { body: { privileges: ['full'] } })).status, 409)
  const ended = await api.call('DELETE', at)
  assert.equal((await operationOf(api, ended)).kind, 'session-end')
})

test('a session that cannot be served is a 503 that names its operation', async (t) => {
  const { api, id, path } = await start(t)
  await running(api, id)
  const pending = api.call<View>('POST', `${path}/sessions`, { body: { preset: 'full' } })
  const operationId = await opened(api, id, 'session-create')
  await api.settle(operationId, 'failed')
  const answer = await pending
  assert.deepEqual([answer.status, answer.body.code, answer.body.operation_id], [503, 'unavailable', operationId])
})

test('a wait ends with the operation, with its time, and with its caller', async (t) => {
  const { api, created } = await start(t)
  const at = `/operations/${created}/wait`
  const timedOut = await api.call<Op>('GET', `${at}?timeout_s=0`)
  assert.deepEqual([timedOut.status, timedOut.body.status], [200, 'pending'])
  for (const bad of ['301', '-1', '1.5', 'x', '']) {
    assert.equal((await api.call('GET', `${at}?timeout_s=${bad}`)).status, 422, bad)
  }
  const gone = new AbortController()
  const abandoned = assert.rejects(api.call('GET', `${at}?timeout_s=300`, { signal: gone.signal }))
  const pending = api.call<Op>('GET', `${at}?timeout_s=300`)
  await api.waiting(created, 2)
  gone.abort()
  await abandoned
  await api.waiting(created, 1)
  await api.settle(created, 'succeeded')
  assert.equal((await pending).body.status, 'succeeded')
})

test('closing the API ends its waits', async (t) => {
  const { api, created } = await start(t)
  const pending = api.call<Op>('GET', `/operations/${created}/wait?timeout_s=300`).catch(() => undefined)
  await api.waiting(created, 1)
  await api.close()
  const answer = await pending
  if (answer !== undefined) assert.equal(answer.body.status, 'pending')
})

test('an instance has at most 500 users, whether made with it or later', async (t) => {
  const { api } = await start(t)
  const users = (from: number, count: number) =>
    Array.from({ length: count }, (_, n) => ({
      username: `u${from + n}`,
      privileges: ['+@read'],
      password: 'secretpass123',
    }))
  const body = { name: 'full', users: users(0, 100) }
  const made = await api.call<View>('POST', `/tenants/${api.tenantId}/valkey-instances`, { body })
  assert.equal(made.status, 202, made.text)
  const path = `/valkey-instances/${made.body.id}/users`
  for (const user of users(100, 400)) assert.equal((await api.call('POST', path, { body: user })).status, 202)
  const refused = await api.call<{ code: string; detail: string }>('POST', path, { body: users(500, 1)[0] })
  assert.equal(refused.status, 409)
  assert.equal(refused.body.code, 'limit-reached')
  assert.match(refused.body.detail, /500 users/)
})
