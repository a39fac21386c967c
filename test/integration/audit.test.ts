/**
 * Every mutation leaves one audit row: who, what, to what, and how it ended; and one more when its operation is over.
 * The routes are taken from the OpenAPI document: one that is new and not here fails the first test.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { AuditRow } from '../../src/domain/model/audit.ts'
import { listAuditRows } from '../../src/store/audit.ts'
import type { HttpAnswer } from '../support/http.ts'
import { leaksIn } from '../support/leaks.ts'
import { processesIn } from '../support/left-behind.ts'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'

type View = { id: string; status: string; password?: string; key?: string; users?: { password: string }[] }
type Call = HttpAnswer<View>
/** One mutation: how it is sent, and what its row has to say. */
type Mutation = { send: () => Promise<Call>; action: string; target: () => string }

const password = 'a-password-nobody-else-has'

let platform: TestPlatform
/** Ids by what they name, as the mutations make them. */
const ids: Record<string, string> = {}
const secrets = [{ name: 'the password that was given', text: password }]

before(async () => {
  platform = await startTestPlatform({ attempts: 1, attemptTimeoutMs: 500 })
  const { body } = await platform.call<{ items: { id: string }[] }>('GET', '/nodes')
  ids['node'] = String(body.items[0]?.id)
})
after(() => platform.close())

const call = (method: string, path: string, body?: object) =>
  platform.call<View>(method, path, body === undefined ? {} : { body })

/** Remembers a new thing's id by a name. */
const made = (name: string, sent: Promise<Call>) =>
  sent.then((answer) => {
    ids[name] = answer.body.id
    return answer
  })

const id = (name: string) => ids[name] ?? assert.fail(`no ${name} yet`)

/** Does something while the instance's server stands still, so that its operation cannot succeed. */
async function whileStopped<T>(work: () => Promise<T>): Promise<T> {
  const pids = processesIn(platform.home)
  assert.equal(pids.length, 1)
  for (const pid of pids) process.kill(pid, 'SIGSTOP')
  try {
    return await work()
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT')
  }
}

/** Makes the last change of something fail, so that there is something to retry. */
const failing = (method: string, path: string, body: object) =>
  whileStopped(async () => {
    const answer = await call(method, path, body)
    const { body: operation } = await call('GET', `${String(answer.headers.get('location'))}/wait?timeout_s=60`)
    assert.equal(operation.status, 'failed', JSON.stringify(operation))
  })

const instance = () => `/valkey-instances/${id('instance')}`
const user = () => `/valkey-users/${id('user')}`

/** By route, in an order in which each finds what it needs. */
const mutations: Record<string, Mutation> = {
  'POST /tenants': {
    send: () => made('tenant', call('POST', '/tenants', { name: 'acme' })),
    action: 'tenant.create',
    target: () => id('tenant'),
  },
  'PATCH /tenants/{id}': {
    send: () => call('PATCH', `/tenants/${id('tenant')}`, { max_instances: 5 }),
    action: 'tenant.update',
    target: () => id('tenant'),
  },
  'POST /shards': {
    send: () => made('shard', call('POST', '/shards', { name: 'west', node_ids: [id('node')] })),
    action: 'shard.create',
    target: () => id('shard'),
  },
  'DELETE /shards/{id}': {
    send: () => call('DELETE', `/shards/${id('shard')}`),
    action: 'shard.delete',
    target: () => id('shard'),
  },
  'POST /api-keys': {
    send: () => made('key', call('POST', '/api-keys', { name: 'ci', scopes: ['metrics'] })),
    action: 'api-key.create',
    target: () => id('key'),
  },
  'DELETE /api-keys/{id}': {
    send: () => call('DELETE', `/api-keys/${id('key')}`),
    action: 'api-key.delete',
    target: () => id('key'),
  },
  'POST /tenants/{tenantID}/valkey-instances': {
    send: () => {
      const users = [
        { username: 'drawn', privileges: ['full'] },
        { username: 'given', privileges: ['full'], password },
      ]
      return made(
        'instance',
        call('POST', `/tenants/${id('tenant')}/valkey-instances`, { name: 'a', max_memory_mb: 8, users }),
      )
    },
    action: 'instance.create',
    target: () => id('instance'),
  },
  'PATCH /valkey-instances/{id}': {
    send: () => call('PATCH', instance(), { max_memory_mb: 9, settings: { hz: 20 } }),
    action: 'instance.update',
    target: () => id('instance'),
  },
  'POST /valkey-instances/{id}/stop': {
    send: () => call('POST', `${instance()}/stop`),
    action: 'instance.stop',
    target: () => id('instance'),
  },
  'POST /valkey-instances/{id}/start': {
    send: () => call('POST', `${instance()}/start`),
    action: 'instance.start',
    target: () => id('instance'),
  },
  'POST /valkey-instances/{id}/sessions': {
    send: () => made('session', call('POST', `${instance()}/sessions`, {})),
    action: 'session.create',
    target: () => id('session'),
  },
  'POST /valkey-instances/{instanceID}/users': {
    send: () => made('user', call('POST', `${instance()}/users`, { username: 'own', privileges: ['full'], password })),
    action: 'user.create',
    target: () => id('user'),
  },
  'PUT /valkey-users/{id}': {
    send: () => call('PUT', user(), { password: `${password}-2`, privileges: ['read-only'] }),
    action: 'user.update',
    target: () => id('user'),
  },
  'POST /valkey-users/{id}/retry': {
    send: async () => {
      await failing('PUT', user(), { password: `${password}-3` })
      return call('POST', `${user()}/retry`)
    },
    action: 'user.retry',
    target: () => id('user'),
  },
  'POST /valkey-instances/{id}/retry': {
    send: async () => {
      await failing('PATCH', instance(), { max_memory_mb: 10 })
      return call('POST', `${instance()}/retry`)
    },
    action: 'instance.retry',
    target: () => id('instance'),
  },
  'POST /operations/{id}/cancel': {
    send: () =>
      whileStopped(async () => {
        const update = await call('PATCH', instance(), { max_memory_mb: 11 })
        ids['operation'] = String(update.headers.get('location')).replace('/operations/', '')
        return call('POST', `/operations/${id('operation')}/cancel`)
      }),
    action: 'operation.cancel',
    target: () => id('operation'),
  },
  'PUT /valkey-instances/{id}/tenant': {
    send: () => call('PUT', `${instance()}/tenant`, { tenant_id: platform.tenantId }),
    action: 'instance.reassign',
    target: () => id('instance'),
  },
  'DELETE /valkey-users/{id}': {
    send: () => call('DELETE', user()),
    action: 'user.delete',
    target: () => id('user'),
  },
  'DELETE /valkey-instances/{id}': {
    send: () => call('DELETE', instance()),
    action: 'instance.delete',
    target: () => id('instance'),
  },
  'DELETE /tenants/{id}': {
    send: () => call('DELETE', `/tenants/${id('tenant')}`),
    action: 'tenant.delete',
    target: () => id('tenant'),
  },
}

const rows = async (): Promise<AuditRow[]> =>
  (await platform.running.platform.store.read((db) => listAuditRows(db, { limit: 200, cursor: null }))).items

const rowsOf = async (answer: Call) =>
  (await rows()).filter(({ requestId }) => requestId === answer.headers.get('x-request-id'))

test('every mutating route of the API is here, and none that is not', async () => {
  const { body } = await platform.call<{ paths: Record<string, object> }>('GET', '/openapi.json')
  const routes = Object.entries(body.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
      .map((method) => `${method.toUpperCase()} ${path}`),
  )
  assert.deepEqual(routes.sort(), Object.keys(mutations).sort())
})

for (const [route, { send, action, target }] of Object.entries(mutations)) {
  test(`${route} leaves one row`, async () => {
    const answer = await send()
    assert.ok(answer.status < 300, answer.text)
    for (const text of [
      answer.body.password,
      answer.body.key,
      ...(answer.body.users ?? []).map((each) => each.password),
    ])
      if (text !== undefined) secrets.push({ name: `a secret of ${route}`, text })
    const isCancel = action === 'operation.cancel'
    const location = answer.headers.get('location')
    if (location !== null && !isCancel) await platform.done(answer)

    const all = await rowsOf(answer)
    const own = all.filter((row) => isCancel || !row.action.startsWith('operation.'))
    const { actor, outcome, requestId } = own[0] ?? assert.fail('no row')
    assert.deepEqual(
      own.map((row) => [row.actor, row.action, row.target, row.outcome]),
      [['key:admin', action, target(), location === null ? 'done' : 'accepted']],
    )
    assert.ok(actor && outcome && requestId)
    const ends = all.filter((row) => !own.includes(row))
    assert.deepEqual(
      ends.map((row) => [row.actor, row.outcome]),
      location === null || isCancel ? [] : [['key:admin', 'done']],
    )
    assert.deepEqual(leaksIn(JSON.stringify(await rows()), secrets), [])
  })
}

test('a mutation that is refused leaves one row that says so; one that is sent again leaves none', async () => {
  const body = { name: 'twice' }
  const headers = { 'idempotency-key': 'twice' }
  const first = await platform.call<View>('POST', '/tenants', { body, headers })
  const again = await platform.call<View>('POST', '/tenants', { body, headers })
  assert.equal(again.body.id, first.body.id)
  assert.deepEqual([(await rowsOf(first)).length, (await rowsOf(again)).length], [1, 0])

  const taken = await call('POST', '/tenants', body)
  const gone = await call('DELETE', `/tenants/${id('tenant')}`)
  const stranger = await platform.call<View>('DELETE', `/tenants/${first.body.id}`, { key: null })
  const seen = await Promise.all([taken, gone, stranger].map(rowsOf))
  assert.deepEqual(
    seen.map((each) => each.map((row) => [row.actor, row.action, row.target, row.outcome])),
    [
      [['key:admin', 'POST /tenants', '/tenants', 'refused']],
      [['key:admin', 'DELETE /tenants/:id', `/tenants/${id('tenant')}`, 'refused']],
      [['unauthenticated', 'DELETE /tenants/:id', `/tenants/${first.body.id}`, 'refused']],
    ],
  )
})

test('an operation that failed has its row', async () => {
  const failed = (await rows()).filter(({ outcome }) => outcome === 'failed')
  assert.deepEqual(failed.map(({ action, target }) => [action, target]).sort(), [
    ['operation.update', id('instance')],
    ['operation.user-update', id('user')],
  ])
})
