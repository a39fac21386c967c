/** The API over the whole platform: what it answers is what a real valkey-server does. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Valkey } from 'iovalkey'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'

type View = {
  id: string
  status: string
  health: string
  generation: number
  observed_generation: number
  code?: string
}
type Secret = { id: string; username: string; password: string }
type Connection = { host: string; port: number; ca_pem: string; server_name: string }

let platform: TestPlatform
let path: string
let user: Secret

before(async () => {
  platform = await startTestPlatform()
  const users = [{ username: 'app', privileges: ['read-write'], key_pattern: '~app:*' }]
  const made = await platform.call<View & { users: Secret[] }>(
    'POST',
    `/tenants/${platform.tenantId}/valkey-instances`,
    { body: { name: 'a', users } },
  )
  await platform.done(made)
  path = `/valkey-instances/${made.body.id}`
  const [first] = made.body.users
  assert.ok(first)
  user = first
})
after(() => platform.close())

/** A client that connects as /connection says; rejects where it cannot log in. */
async function connect({ username, password }: Pick<Secret, 'username' | 'password'>): Promise<Valkey> {
  const { body } = await platform.call<Connection>('GET', `${path}/connection`)
  const client = new Valkey({
    host: body.host,
    port: body.port,
    username,
    password,
    tls: { ca: body.ca_pem, servername: body.server_name },
    lazyConnect: true,
    retryStrategy: () => null,
    enableReadyCheck: false,
  })
  // Without a listener the library writes to stderr what the rejection says already.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.ping()
    return client
  } catch (error) {
    client.disconnect()
    throw error
  }
}

test('a nested user connects over TLS with its generated password, and stays within its keys', async () => {
  const client = await connect(user)
  assert.equal(await client.set('app:1', 'x'), 'OK')
  await assert.rejects(client.set('other', 'x'), /NOPERM/)
  await assert.rejects(client.flushall(), /NOPERM/)
  client.disconnect()
})

test('/effective is what the server itself answers', async () => {
  const answer = await platform.call<{
    allowed: string[]
    denied: { command: string; reason: string }[]
    keys: string[]
    connect: boolean
    notes: string[]
  }>('GET', `/valkey-users/${user.id}/effective`)
  assert.equal(answer.status, 200, answer.text)
  assert.deepEqual([answer.body.connect, answer.body.keys], [true, ['~app:*']])
  for (const command of ['GET', 'SET', 'INFO']) assert.ok(answer.body.allowed.includes(command), command)
  for (const name of ['FLUSHALL', 'CONFIG SET', 'ACL SETUSER']) {
    const denied = answer.body.denied.find(({ command }) => command === name)
    assert.ok(denied?.reason, name)
  }
  assert.ok(!answer.body.notes.some((note) => note.includes('outside the key or channel pattern')), answer.text)
})

test('/effective of all keys tells of no key outside them', async () => {
  const body = { username: 'everywhere', privileges: ['full'], channel_pattern: '&*' }
  const made = await platform.call<View>('POST', `${path}/users`, { body })
  await platform.done(made)
  const answer = await platform.call<{ notes: string[] }>('GET', `/valkey-users/${made.body.id}/effective`)
  assert.ok(!answer.body.notes.some((note) => note.includes('outside')), JSON.stringify(answer.body.notes))
})

test('a session logs in as soon as it is answered, reads only, and is gone when it is ended', async () => {
  const session = await platform.call<Secret>('POST', `${path}/sessions`)
  assert.equal(session.status, 201, session.text)
  const client = await connect(session.body)
  await assert.rejects(client.set('app:1', 'x'), /NOPERM/)
  const closed = new Promise((resolve) => client.once('close', resolve))
  await platform.done(await platform.call('DELETE', `/valkey-users/${session.body.id}`))
  await closed
  await assert.rejects(connect(session.body))
})

test('an instance that is stopped has no sessions and no /effective; started again it is as it was', async () => {
  await platform.done(await platform.call('POST', `${path}/stop`))
  for (const [method, at] of [
    ['POST', `${path}/sessions`],
    ['GET', `/valkey-users/${user.id}/effective`],
  ] as const) {
    const answer = await platform.call<View>(method, at)
    assert.deepEqual([answer.status, answer.body.code], [409, 'wrong-state'], at)
  }
  await platform.done(await platform.call('POST', `${path}/start`))
  const client = await connect(user)
  assert.equal(await client.get('app:1'), 'x')
  client.disconnect()
})

test('a new password works and the old one does not; memory and settings change live', async () => {
  const password = 'a-new-password-for-app'
  await platform.done(await platform.call('PUT', `/valkey-users/${user.id}`, { body: { password } }))
  await assert.rejects(connect(user))
  const client = await connect({ username: user.username, password })
  const body = { max_memory_mb: 80, settings: { maxmemory_policy: 'noeviction' } }
  await platform.done(await platform.call('PATCH', path, { body }))
  const info = String(await client.info('memory'))
  assert.match(info, /maxmemory:83886080\r/)
  assert.match(info, /maxmemory_policy:noeviction\r/)
  client.disconnect()
  const seen = await platform.call<View>('GET', path)
  assert.deepEqual([seen.body.status, seen.body.health], ['active', 'healthy'])
  assert.equal(seen.body.generation, seen.body.observed_generation)
})
