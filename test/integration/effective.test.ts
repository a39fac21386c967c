/**
 * GET /valkey-users/{id}/effective against what happens: each command is run by the user itself, over TLS, on a server of
 * every supported line, and refused exactly where the answer says so.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { COMMANDS } from '../../src/domain/acl/command-table.ts'
import { runnableCommands, sampleWords, touchesKeys } from '../../src/domain/acl/probe.ts'
import type { Connection } from '../../src/domain/connection.ts'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import { connectAsAdmin } from '../support/admin-connection.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'

type Secret = { id: string; username: string; password: string }
type Effective = {
  connect: boolean
  keys: string[]
  channels: string[]
  families: { family: string; allowed: number; total: number }[]
  allowed: string[]
  denied: { command: string; reason: string }[]
}

const key = 'app:1'
const channel = 'news:1'
const patterns = { key_pattern: '~app:*', channel_pattern: '&news:*' }

/** Users of every shape. All have the same patterns, so that one sample is inside of them all. */
const users = [
  { username: 'reader', privileges: ['read-only'], ...patterns },
  { username: 'writer', privileges: ['read-write'], ...patterns },
  { username: 'fuller', privileges: ['full'], ...patterns },
  { username: 'talker', privileges: ['pubsub'], ...patterns },
  { username: 'worker', privileges: ['queue'], ...patterns },
  { username: 'seed-app', privileges: ['+@all'], ...patterns },
  { username: 'seed-reader', privileges: ['+@read', '+@connection'], ...patterns },
  { username: 'narrow', privileges: ['get', '+client|getname', '-info'], ...patterns },
  { username: 'less', privileges: ['+@all', '-@write', '+set', '-client|id', '-@scripting'], ...patterns },
  { username: 'deaf', privileges: ['full'], key_pattern: '~app:*' },
]

/** They end or turn the connection that they are sent on, whether or not they are allowed. */
const turning = new Set([
  'quit',
  'reset',
  'hello',
  'auth',
  'client|reply',
  'client|no-touch',
  'client|tracking',
  'subscribe',
  'psubscribe',
  'ssubscribe',
  'unsubscribe',
  'punsubscribe',
  'sunsubscribe',
  'multi',
  'exec',
  'discard',
  'select',
  'monitor',
  'sync',
  'psync',
])

const typed = (name: string) => name.toUpperCase().replace('|', ' ')

/** Without a permission; two commands are switched off for everybody, which is looked at first. */
const refusal = /^(NOPERM|ERR (DEBUG|MODULE) command not allowed)/

/** Commands that do what they are for: the reply of a user that may. `app:1` holds a string, the others their kind. */
const real: [words: string[], reply: unknown][] = [
  [['GET', 'app:1'], 'text'],
  [
    ['MGET', 'app:1', 'app:none'],
    ['text', null],
  ],
  [['STRLEN', 'app:1'], 4],
  [['SET', 'app:new', 'x'], 'OK'],
  [['DEL', 'app:new'], 1],
  [
    ['LRANGE', 'app:list', '0', '-1'],
    ['a', 'b'],
  ],
  [['HGET', 'app:hash', 'f'], 'v'],
  [['SISMEMBER', 'app:set', 'm'], 1],
  [['ZSCORE', 'app:zset', 'm'], 7],
  [['XLEN', 'app:stream'], 1],
  [['TYPE', 'app:list'], 'list'],
  [
    ['SORT', 'app:list', 'ALPHA', 'DESC'],
    ['b', 'a'],
  ],
  [['EVAL', "return server.call('GET', KEYS[1])", '1', 'app:1'], 'text'],
  [['PUBLISH', 'news:1', 'x'], 0],
  [['SPUBLISH', 'news:1', 'x'], 0],
  [['ECHO', 'x'], 'x'],
  [['PING'], 'PONG'],
]

const resp = (words: string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

/** The first line of the reply to one command on a connection of its own. */
async function rawReply(at: Connection, { username, password }: Secret, words: string[]): Promise<string> {
  const socket = connectTls({ host: at.host, port: at.port, ca: at.ca_pem, servername: at.server_name })
  const line = (words: string[]) =>
    new Promise<string>((resolve, reject) => {
      let text = ''
      socket.setTimeout(10_000, () => reject(new Error(`${words[0]}: no answer`)))
      socket.once('error', reject)
      socket.once('close', () => reject(new Error(`${words[0]}: closed after ${text}`)))
      socket.removeAllListeners('data').on('data', (chunk) => {
        text += chunk.toString('latin1')
        if (text.includes('\r\n')) resolve(text.slice(0, text.indexOf('\r\n')))
      })
      socket.write(resp(words))
    })
  try {
    assert.equal(await line(['AUTH', username, password]), '+OK')
    return await line(words)
  } finally {
    socket.destroy()
  }
}

/** The error that a command ends in, undefined where it is answered. */
const errorOf = (connection: ValkeyConnection, words: string[]) =>
  connection.call(words, { reveal: words }).then(
    () => undefined,
    (error: Error) => error.message,
  )

for (const { version, path: binary } of valkeyBinaries()) {
  describe(`/effective on valkey ${version}`, () => {
    let platform: TestPlatform
    let instanceId: string
    let engineVersion: string
    let at: Connection
    let secrets: Secret[]

    before(async () => {
      platform = await startTestPlatform({ valkeyServer: binary })
      const made = await platform.call<{ id: string; engine_version: string; users: Secret[] }>(
        'POST',
        `/tenants/${platform.tenantId}/valkey-instances`,
        { body: { name: 'a', max_memory_mb: 16, users } },
      )
      await platform.done(made)
      instanceId = made.body.id
      engineVersion = made.body.engine_version
      secrets = made.body.users
      at = (await platform.call<Connection>('GET', `/valkey-instances/${instanceId}/connection`)).body
    })
    after(() => platform.close())

    const login = ({ username, password }: Secret) =>
      connect({
        socket: { host: at.host, port: at.port, ca: at.ca_pem, servername: at.server_name },
        username,
        password,
        timeoutMs: 10_000,
      })

    const fill = async () => {
      await using admin = await connectAsAdmin(platform, instanceId)
      await admin.call(['FLUSHALL'])
      await admin.call(['SET', 'app:1', 'text'])
      await admin.call(['RPUSH', 'app:list', 'a', 'b'])
      await admin.call(['HSET', 'app:hash', 'f', 'v'])
      await admin.call(['SADD', 'app:set', 'm'])
      await admin.call(['ZADD', 'app:zset', '7', 'm'])
      await admin.call(['XADD', 'app:stream', '*', 'f', 'v'])
    }

    for (const [index, { username }] of users.entries()) {
      const effectiveOf = async () => {
        const secret = secrets[index] ?? assert.fail(username)
        const { status, body, text } = await platform.call<Effective>('GET', `/valkey-users/${secret.id}/effective`)
        assert.equal(status, 200, text)
        return { secret, body, denied: new Set(body.denied.map(({ command }) => command)) }
      }

      test(`${username}: every command is refused exactly where it says so`, async () => {
        const { secret, body, denied } = await effectiveOf()
        const commands = runnableCommands(engineVersion)
        assert.deepEqual([...body.allowed, ...denied].sort(), commands.map(({ name }) => typed(name)).sort())
        assert.ok(body.denied.every(({ reason }) => reason !== ''))
        await using user = await login(secret)
        for (const command of commands.filter(({ name }) => !turning.has(name))) {
          // In a transaction nothing blocks, and what is refused is refused when it is queued.
          const queued = command.categories.includes('blocking') && touchesKeys(command) && !denied.has('MULTI')
          if (queued) await user.call(['MULTI'])
          const error = await errorOf(user, sampleWords(command, key, channel))
          if (queued) await user.call(['DISCARD'])
          assert.equal(refusal.test(error ?? ''), denied.has(typed(command.name)), `${command.name}: ${error}`)
        }
      })

      test(`${username}: what is allowed does what it is for, inside its patterns only`, async () => {
        await fill()
        const { secret, body, denied } = await effectiveOf()
        await using user = await login(secret)
        for (const [words, reply] of real) {
          const command = COMMANDS.get(words[0]?.toLowerCase() ?? '')
          assert.ok(command)
          if (denied.has(typed(command.name))) assert.match(String(await errorOf(user, words)), /^NOPERM/, words[0])
          else assert.deepEqual(await user.call(words), reply, words[0])
          const bound = words.map((word) => word.replace(/^app:/, 'strange:').replace(/^news:/, 'strange:'))
          if (bound.join() !== words.join())
            assert.match(String(await errorOf(user, bound)), /^NOPERM/, bound.join(' '))
        }
        assert.deepEqual(body.keys, ['~app:*'])
        assert.deepEqual(body.channels, username === 'deaf' ? [] : ['&news:*'])
        // A login and the handshake of client libraries went through above, or `connect` says that they do not.
        const handshake = ['HELLO', 'PING', 'INFO', 'CLIENT SETNAME', 'CLIENT SETINFO', 'CLIENT ID', 'SELECT']
        assert.equal(body.connect, !handshake.some((each) => denied.has(each)))
      })

      test(`${username}: what turns a connection is refused exactly where it says so`, async () => {
        const { secret, denied } = await effectiveOf()
        for (const command of runnableCommands(engineVersion).filter(({ name }) => turning.has(name))) {
          const first = await rawReply(at, secret, sampleWords(command, key, channel.replace(/1$/, '*')))
          assert.equal(
            /^-(EXECABORT .*)?NOPERM /.test(first),
            denied.has(typed(command.name)),
            `${command.name}: ${first}`,
          )
        }
      })
    }
  })
}
