/**
 * Bad input against the whole platform: a 4xx that names field and reason, nothing written, nothing started, and the
 * neighbour served on its open connection with its ACL as it was. VALKEEP_TEST_FULL=1: 1,000 variants of each family.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { Valkey } from 'iovalkey'
import { serversOfInstances } from '../../src/store/servers.ts'
import { families } from '../support/bad-input.ts'
import type { BadRequest, Target } from '../support/bad-request.ts'
import { processesIn } from '../support/left-behind.ts'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'
import { rowCounts } from '../support/row-counts.ts'

const numRuns = process.env['VALKEEP_TEST_FULL'] === '1' ? 1_000 : 40

let platform: TestPlatform
let target: Target
let neighbour: Valkey
let aclFile: string

before(async () => {
  platform = await startTestPlatform({ rateLimitPerS: 100_000 })
  const { call, tenantId, running } = platform
  const users = [{ username: 'app', privileges: ['read-write'] }]
  const made = await call<{ id: string; port: number; users: { id: string; password: string }[] }>(
    'POST',
    `/tenants/${tenantId}/valkey-instances`,
    { body: { name: 'neighbour', users } },
  )
  await platform.done(made)
  const instanceId = made.body.id
  const [user] = made.body.users
  assert.ok(user)
  const { body: at } = await call<{ host: string; port: number; ca_pem: string; server_name: string }>(
    'GET',
    `/valkey-instances/${instanceId}/connection`,
  )
  const tls = { ca: at.ca_pem, servername: at.server_name }
  neighbour = new Valkey({ host: at.host, port: at.port, username: 'app', password: user.password, tls })
  assert.equal(await neighbour.ping(), 'PONG')
  const [server] = await running.platform.store.read((db) => serversOfInstances(db, [instanceId]))
  aclFile = join(platform.home, 'servers', String(server?.id), 'acl', 'users.acl')
  target = { tenantId, instanceId, userId: user.id, ...(await stranger()), leftMb: await leftMb() }
  target.operationId = String(made.headers.get('location')).replace('/operations/', '')
})
after(async () => {
  neighbour.disconnect()
  await platform.close()
})

async function stranger(): Promise<{ strangerKey: string; operationId: string }> {
  const tenant = await platform.call<{ id: string }>('POST', '/tenants', { body: { name: 'stranger' } })
  const scopes = ['valkey:read', 'valkey:write', 'valkey:delete']
  const key = await platform.call<{ key: string }>('POST', '/api-keys', {
    body: { name: 'stranger', scopes, tenant_id: tenant.body.id },
  })
  return { strangerKey: key.body.key, operationId: '' }
}

async function leftMb(): Promise<number> {
  const nodes = await platform.call<{ items: { capacity_mb: number; reserved_mb: number }[] }>('GET', '/nodes')
  const [node] = nodes.body.items
  assert.ok(node)
  return node.capacity_mb - node.reserved_mb
}

/** Everything that bad input must leave alone. */
const state = async () => ({
  rows: await rowCounts(platform.running.platform.store, ['audit', 'operation_steps']),
  processes: processesIn(platform.home).length,
  acl: readFileSync(aclFile, 'utf8'),
  ping: await neighbour.ping(),
  neighbour: (await platform.call('GET', `/valkey-instances/${target.instanceId}`)).headers.get('etag'),
  user: (await platform.call('GET', `/valkey-users/${target.userId}`)).headers.get('etag'),
})

async function refused(request: BadRequest): Promise<void> {
  const { method, path, options, statuses, pointer, secret } = request
  const what = `${method} ${path} ${(options.raw ?? JSON.stringify(options.body) ?? '').slice(0, 300)}`
  const answer = await platform.call<{ code: string; detail: string; errors: { pointer: string; detail: string }[] }>(
    method,
    path,
    options,
  )
  assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.text.slice(0, 500)} for ${what}`)
  assert.match(String(answer.headers.get('content-type')), /^application\/problem\+json/)
  assert.ok(answer.body.code && answer.body.detail, what)
  if (pointer !== null) {
    const [first] = answer.body.errors
    assert.ok(first?.pointer.startsWith(pointer) && first.detail, `${first?.pointer} for ${what}`)
  }
  if (secret !== undefined) {
    assert.ok(!answer.text.includes(JSON.stringify(secret).slice(1, -1)), `a password came back: ${what}`)
  }
}

for (const family of families) {
  test(`bad ${family.name}`, async (t) => {
    const { table, more } = family.requests(target)
    const before = await state()
    for (const request of table) await refused(request)
    assert.deepEqual(await state(), before, 'after the table')
    const seed = Number(process.env['VALKEEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
    t.diagnostic(`seed ${seed}, ${numRuns} runs`)
    await fc.assert(fc.asyncProperty(more, refused), { seed, numRuns })
    assert.deepEqual(await state(), before, `after seed ${seed}`)
  })
}

test('an idempotency key with another body', async () => {
  const path = `/valkey-instances/${target.instanceId}/users`
  const headers = { 'idempotency-key': 'once' }
  const body = { username: 'once', privileges: ['read-only'] }
  await platform.done(await platform.call('POST', path, { body, headers }))
  const before = await state()
  const other = fc.record({ username: fc.stringMatching(/^[a-z]{1,20}$/), privileges: fc.constant(['full']) })
  await fc.assert(
    fc.asyncProperty(other, async (body) => {
      const answer = await platform.call<{ code: string }>('POST', path, { body, headers })
      assert.deepEqual([answer.status, answer.body.code], [409, 'idempotency-conflict'])
    }),
    { numRuns },
  )
  assert.deepEqual(await state(), before)
})
