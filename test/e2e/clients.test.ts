/**
 * Real clients on real servers of every supported line, connected with what GET /valkey-instances/{id}/connection prints,
 * while the platform runs as a process of its own: what its users may do is what happens.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Connection } from '../../src/domain/connection.ts'
import { createAuthority } from '../../src/vault/authority.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { type PlatformProcess, startPlatformProcess } from '../support/platform-process.ts'
import { type ClientSession, type RealClient, realClients } from '../support/real-clients.ts'

type Secret = { id: string; username: string; password: string }
type Rights = { privileges: string[]; key_pattern?: string; channel_pattern?: string }
/** Commands by what becomes of them: a reply, or a refusal. */
type Expected = { rights: Rights; replies: [command: string, reply: string][]; refused: string[] }

const nobodyMay = [
  'FLUSHALL',
  'FLUSHDB',
  'SWAPDB 0 1',
  'KEYS *',
  'CONFIG GET *',
  'CONFIG SET maxmemory 0',
  'ACL LIST',
  'ACL SETUSER default on nopass ~* +@all',
  'CLIENT LIST',
  'CLIENT KILL TYPE normal',
  'REPLICAOF NO ONE',
  'MODULE LIST',
  'SCRIPT FLUSH',
  'FUNCTION FLUSH',
  'SAVE',
  'SLOWLOG GET',
]

/** Each preset, and the users that the source shows. `app:seen` holds `1`. */
const users: Record<string, Expected> = {
  reader: {
    rights: { privileges: ['read-only'], key_pattern: '~app:*' },
    replies: [['GET app:seen', '1']],
    refused: ['SET app:1 x', 'GET other', 'PUBLISH news x', 'EVAL return(1) 0'],
  },
  writer: {
    rights: { privileges: ['read-write'], key_pattern: '~app:*' },
    replies: [
      ['SET app:1 x', 'OK'],
      ['GET app:1', 'x'],
      ['DEL app:1', '1'],
    ],
    refused: ['SET other x', 'GET other', 'COPY app:seen other', 'EVAL return(1) 0', 'PUBLISH news x'],
  },
  fuller: {
    rights: { privileges: ['full'], key_pattern: '~app:*', channel_pattern: '&news:*' },
    replies: [
      ['SET app:2 y', 'OK'],
      ["EVAL return(server.call('GET',KEYS[1])) 1 app:2", 'y'],
      ['PUBLISH news:a x', '0'],
    ],
    refused: ['SET other x', 'EVAL return(1) 1 other', 'PUBLISH other x'],
  },
  talker: {
    rights: { privileges: ['pubsub'], channel_pattern: '&news:*' },
    replies: [['PUBLISH news:b x', '0']],
    refused: ['PUBLISH other x', 'GET app:seen', 'SET app:1 x'],
  },
  worker: {
    rights: { privileges: ['queue'], key_pattern: '~app:*' },
    replies: [
      ['DEL app:q', '0'],
      ['LPUSH app:q job', '1'],
      ['RPOP app:q', 'job'],
    ],
    refused: ['LPUSH other job', 'LMOVE app:q other LEFT RIGHT'],
  },
  'seed-app': {
    rights: { privileges: ['+@all'], key_pattern: '~myapp:*' },
    replies: [
      ['SET myapp:1 z', 'OK'],
      ['GET myapp:1', 'z'],
    ],
    refused: ['SET other x', 'GET app:seen', 'RENAME myapp:1 other'],
  },
  'seed-reader': {
    rights: { privileges: ['+@read', '+@connection'] },
    replies: [
      ['GET app:seen', '1'],
      ['EXISTS other', '0'],
    ],
    refused: ['SET app:1 x', 'DEL app:seen'],
  },
}

const noPermission = /NOPERM|NoPermission|PermissionDenied/
const wrongLogin = /WRONGPASS|NOAUTH|invalid username-password|AuthenticationFailed/i
const wrongServer = /certificate|UnknownIssuer|BadSignature/i

const opened = new Map<string, RealClient>()
after(async () => {
  for (const client of opened.values()) await client.end()
})

function clientOf(t: TestContext, name: string): RealClient | undefined {
  const known = opened.get(name) ?? realClients[name]?.(t)
  if (known !== undefined) opened.set(name, known)
  return known
}

const words = (command: string) => command.split(' ')

async function refused(session: ClientSession, commands: readonly string[]): Promise<void> {
  for (const command of commands) await assert.rejects(session.call(...words(command)), noPermission, command)
}

/** Whatever the client does to get its connection back, it does not. */
const dropped = (session: ClientSession) => assert.rejects(session.call('PING'))

for (const { version, path: binary } of valkeyBinaries()) {
  describe(`real clients on valkey ${version}`, () => {
    let platform: PlatformProcess
    let instance: string
    let at: Connection
    let foreignCa: string
    const secrets = new Map<string, Secret>()

    const secretOf = (name: string): Secret => secrets.get(name) ?? assert.fail(name)

    before(async () => {
      platform = await startPlatformProcess(['--valkey-server', binary])
      const asked = Object.entries(users).map(([username, { rights }]) => ({ username, ...rights }))
      const body = { name: 'main', max_memory_mb: 16, users: asked }
      const made = await platform.call<{ id: string; users: Secret[] }>(
        'POST',
        `/tenants/${platform.tenantId}/valkey-instances`,
        { body },
      )
      await platform.done(made)
      instance = `/valkey-instances/${made.body.id}`
      for (const user of made.body.users) secrets.set(user.username, user)
      at = (await platform.call<Connection>('GET', `${instance}/connection`)).body
      const now = new Date()
      foreignCa = (await createAuthority({ subject: [{ type: 'CN', value: 'Another CA' }], notBefore: now, days: 1 }))
        .certPem
      const client = await (realClients['iovalkey']?.({} as TestContext) ?? assert.fail()).open({
        at,
        ...secretOf('writer'),
      })
      await client.call('SET', 'app:seen', '1')
      await client.close()
    })
    after(() => platform.remove())

    const change = async (method: string, path: string, body?: object) =>
      platform.done(await platform.call<Secret>(method, path, body === undefined ? {} : { body }))

    test('the port speaks TLS only', async () => {
      const socket = connect(at.port, at.host)
      let said = ''
      socket.on('data', (chunk) => {
        said += chunk.toString('latin1')
      })
      socket.on('error', () => {})
      socket.write('PING\r\n')
      await new Promise((resolve) => socket.once('close', resolve))
      assert.ok(!said.includes('PONG'), said)
    })

    for (const [number, name] of Object.keys(realClients).entries()) {
      const own = `changing-${number}`

      test(`${name}: each user does what it may, inside its pattern`, async (t) => {
        const client = clientOf(t, name)
        if (client === undefined) return
        for (const [username, { replies, refused: denied }] of Object.entries(users)) {
          const session = await client.open({ at, ...secretOf(username), byUri: username === 'writer' })
          try {
            assert.equal(await session.call('ACL', 'WHOAMI').catch(() => username), username)
            for (const [command, reply] of replies)
              assert.equal(await session.call(...words(command)), reply, `${username}: ${command}`)
            // Last: valkey-cli takes no lost connection for an error after it.
            await refused(session, [...denied, ...nobodyMay, 'SHUTDOWN NOSAVE'])
          } finally {
            await session.close()
          }
        }
      })

      test(`${name}: a wrong password, another authority and plain TCP are refused`, async (t) => {
        const client = clientOf(t, name)
        if (client === undefined) return
        const login = { at, ...secretOf('writer') }
        await assert.rejects(client.open({ ...login, password: 'not-its-password-1' }), wrongLogin)
        await assert.rejects(client.open({ ...login, username: 'default' }), wrongLogin)
        await assert.rejects(client.open({ ...login, ca: foreignCa }), wrongServer)
        await assert.rejects(client.open({ ...login, plain: true }))
      })

      test(`${name}: rights change under an open connection; a new password and a delete end it`, async (t) => {
        const client = clientOf(t, name)
        if (client === undefined) return
        const body = { username: own, privileges: ['read-write'], key_pattern: '~app:*' }
        const { body: made } = await change('POST', `${instance}/users`, body)
        const user = `/valkey-users/${made.id}`
        const first = await client.open({ at, ...made })
        const id = await first.call('CLIENT', 'ID')
        assert.equal(await first.call('SET', 'app:c', '1'), 'OK')

        await change('PUT', user, { privileges: ['read-only'], key_pattern: '~other:*' })
        await refused(first, ['SET other:c 1', 'GET app:c'])
        assert.equal(await first.call('EXISTS', 'other:c'), '0')
        assert.equal(await first.call('CLIENT', 'ID'), id, 'the connection is the same')

        const password = 'a-password-of-its-own-7'
        await change('PUT', user, { password })
        await dropped(first)
        await first.close()
        await assert.rejects(client.open({ at, ...made }), wrongLogin)
        const second = await client.open({ at, username: own, password })
        assert.equal(await second.call('EXISTS', 'other:c'), '0')

        await change('DELETE', user)
        await dropped(second)
        await second.close()
        await assert.rejects(client.open({ at, username: own, password }), wrongLogin)
      })

      test(`${name}: a session works at once, is no user of the tenant's, and ends`, async (t) => {
        const client = clientOf(t, name)
        if (client === undefined) return
        const made = await platform.call<Secret>('POST', `${instance}/sessions`, { body: { preset: 'read-write' } })
        assert.equal(made.status, 201, made.text)
        const session = await client.open({ at, ...made.body })
        assert.equal(await session.call('GET', 'app:seen'), '1')
        await refused(session, nobodyMay)
        const { body } = await platform.call<{ items: Secret[] }>('GET', `${instance}/users`)
        assert.ok(!body.items.some(({ id }) => id === made.body.id))
        assert.equal(body.items.length, Object.keys(users).length)
        await change('DELETE', `/valkey-users/${made.body.id}`)
        await dropped(session)
        await session.close()
      })
    }
  })
}
