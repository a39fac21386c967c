/** One connection to a real server, over its unix socket and over TLS, and the ways in which it fails. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type ConnectOptions, connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import * as commands from '../../src/valkey/commands.ts'
import {
  ValkeyRefused,
  ValkeyReplyError,
  ValkeyTimeout,
  ValkeyUnreachable,
  ValkeyUntrusted,
} from '../../src/valkey/errors.ts'
import { freePort } from '../support/free-port.ts'
import { ADMIN, type ManagedValkey, startManagedValkey } from '../support/managed-valkey.ts'
import { valkeyBinaries } from '../support/parts.ts'

const SECRET = 'kanarienvogel-77'
const digest = createHash('sha256').update(SECRET).digest('hex')

/** The error of a promise that must reject; its text must not hold a secret. */
async function errorOf<E extends Error>(kind: new (...args: never[]) => E, promise: Promise<unknown>): Promise<E> {
  const error = await promise.then(
    () => assert.fail('did not reject'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof kind, String(error))
  const text = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
  for (const secret of [SECRET, digest, ADMIN.password]) assert.ok(!text.includes(secret), text)
  return error
}

for (const { version: line, path: binary } of valkeyBinaries()) {
  describe(`client on valkey ${line}`, () => {
    let server: ManagedValkey
    let admin: ValkeyConnection
    const bySocket = (): ConnectOptions => ({ socket: { path: server.layout.socket }, ...ADMIN, timeoutMs: 3000 })
    const byTls = (): ConnectOptions => ({
      socket: { host: '127.0.0.1', port: server.port, ca: server.ca },
      ...ADMIN,
      timeoutMs: 3000,
    })

    before(async () => {
      server = await startManagedValkey({ binary, version: `${line}.0` })
      admin = await connect(bySocket())
    })
    after(async () => {
      await admin.close()
      await server.stop()
    })

    test('INFO names our process, file and version', async () => {
      await commands.ping(admin)
      const info = await commands.info(admin)
      assert.equal(info.processId, server.pid)
      assert.equal(info.configFile, server.layout.conf)
      assert.ok(info.version.startsWith(line))
      assert.equal(info.role, 'primary')
      assert.equal(info.maxMemory, 67_108_864)
      assert.equal(info.tcpPort, server.port)
      assert.match(info.runId, /^[0-9a-f]{40}$/)
      assert.equal(info.aof.enabled, true)
    })

    test('TLS tells the certificate that is served', async () => {
      await using connection = await connect(byTls())
      await commands.ping(connection)
      assert.equal(connection.servedFingerprint, server.fingerprint)
      assert.equal(admin.servedFingerprint, null)
      await using named = await connect({ ...byTls(), socket: { ...byTls().socket, servername: 'localhost' } as never })
      assert.equal(named.servedFingerprint, server.fingerprint)
    })

    test('bytes come back as they went', async () => {
      const value = Buffer.from([0, 255, 10, 13, 34])
      await admin.call(['SET', 'k', value])
      assert.equal(await admin.call(['STRLEN', 'k']), 5)
      await admin.call(['DEL', 'k'])
    })

    test('users are set, listed, saved, tried, killed and deleted', async () => {
      await commands.aclSetUser(admin, ['app', 'reset', 'on', `#${digest}`, '~app:*', '-@all', '+get', '+ping'])
      await commands.aclSave(admin)
      assert.match(readFileSync(server.layout.acl, 'utf8'), new RegExp(`user app on .*#${digest}`))
      assert.ok((await commands.aclList(admin)).some((user) => user.startsWith('user app on')))
      assert.deepEqual(await commands.aclDryRun(admin, 'app', ['GET', 'app:1']), { allowed: true })
      const denied = await commands.aclDryRun(admin, 'app', ['SET', 'app:1', 'x'])
      assert.ok(!denied.allowed && /no permissions/i.test(denied.reason))

      await using app = await connect({ ...bySocket(), username: 'app', password: SECRET })
      const refused = await errorOf(ValkeyReplyError, app.call(['SET', 'app:1', SECRET]))
      assert.equal(refused.code, 'NOPERM')
      assert.equal(await commands.clientKillUser(admin, 'app'), 1)
      await errorOf(ValkeyUnreachable, app.call(['PING']))
      await commands.aclDelUser(admin, ['app', 'nobody'])
      await commands.aclDelUser(admin, [])
      assert.ok(!(await commands.aclList(admin)).some((user) => user.startsWith('user app ')))
    })

    test('an error reply tells the reason and none of the secrets that we sent', async () => {
      const bad = await errorOf(
        ValkeyReplyError,
        commands.aclSetUser(admin, ['app', 'reset', `>${SECRET}`, '+nonsense']),
      )
      assert.match(bad.message, /\+nonsense/)
      await errorOf(ValkeyReplyError, commands.aclSetUser(admin, ['app', `#${digest}zz`]))
      await errorOf(ValkeyReplyError, admin.call([`${SECRET}`.slice(0, 3), SECRET, `x${SECRET}\ny`]))
      await errorOf(ValkeyReplyError, admin.call(['CONFIG', 'SET', SECRET, SECRET]))
      await errorOf(ValkeyReplyError, admin.call(['AUTH', 'app', SECRET]))
      await errorOf(ValkeyReplyError, admin.call(['ACL', SECRET]))
      assert.ok(!(await commands.aclList(admin)).some((user) => user.startsWith('user app ')))
    })

    test('wrong credentials are refused, on the socket and over TLS', async () => {
      await errorOf(ValkeyRefused, connect({ ...bySocket(), password: SECRET }))
      await errorOf(ValkeyRefused, connect({ ...byTls(), username: 'nobody', password: SECRET }))
      await errorOf(ValkeyRefused, connect({ ...bySocket(), username: 'default', password: SECRET }))
    })

    test('a certificate of another CA, or for another name, is not trusted', async () => {
      const other = await startManagedValkey({ binary, version: `${line}.0` })
      try {
        const { code } = await errorOf(
          ValkeyUntrusted,
          connect({ ...byTls(), socket: { host: '127.0.0.1', port: server.port, ca: other.ca } }),
        )
        assert.ok(code.length > 0)
        await errorOf(
          ValkeyUntrusted,
          connect({
            ...byTls(),
            socket: { host: '127.0.0.1', port: server.port, ca: server.ca, servername: 'elsewhere.example' },
          }),
        )
      } finally {
        await other.stop()
      }
    })

    test('nobody there: unreachable, by its system code', async () => {
      const absent = await errorOf(
        ValkeyUnreachable,
        connect({ ...bySocket(), socket: { path: join(server.layout.dir, 'x') } }),
      )
      assert.equal(absent.code, 'ENOENT')
      const port = await freePort()
      const closed = await errorOf(
        ValkeyUnreachable,
        connect({ ...bySocket(), socket: { host: '127.0.0.1', port, ca: server.ca } }),
      )
      assert.equal(closed.code, 'ECONNREFUSED')
    })

    test('a stopped server is a timeout: in a call, in a handshake on the socket, in one over TLS', async () => {
      const stopped = await connect({ ...bySocket(), timeoutMs: 200 })
      server.signal('SIGSTOP')
      try {
        await errorOf(ValkeyTimeout, stopped.call(['SET', 'k', SECRET]))
        await errorOf(ValkeyUnreachable, stopped.call(['PING']))
        await errorOf(ValkeyTimeout, connect({ ...bySocket(), timeoutMs: 200 }))
        await errorOf(ValkeyTimeout, connect({ ...byTls(), timeoutMs: 200 }))
      } finally {
        server.signal('SIGCONT')
      }
      await commands.ping(admin)
      await errorOf(ValkeyTimeout, (await connect(bySocket())).call(['BLPOP', 'none', '5'], { timeoutMs: 100 }))
    })

    test('no room for one more client is told, or shows as a broken connection', async () => {
      await commands.configSet(admin, [{ name: 'maxclients', args: ['1'] }])
      try {
        const full = await errorOf(Error, connect(bySocket()))
        // The server says so and hangs up without reading: our write may fail before its word is read.
        if (full instanceof ValkeyReplyError) assert.match(full.message, /max number of clients/)
        else assert.ok(full instanceof ValkeyUnreachable, full.message)
      } finally {
        await commands.configSet(admin, [{ name: 'maxclients', args: ['10000'] }])
      }
    })

    test('closed by us: calls under way and later ones reject; closing again is nothing', async () => {
      const connection = await connect(bySocket())
      const waiting = errorOf(ValkeyUnreachable, connection.call(['BLPOP', 'none', '0']))
      await connection.close()
      await waiting
      await errorOf(ValkeyUnreachable, connection.call(['PING']))
      await connection.close()
    })

    test('killed under a call: unreachable, and the process of ours lives on', async () => {
      const victim = await startManagedValkey({ binary, version: `${line}.0` })
      try {
        const options = { socket: { path: victim.layout.socket }, ...ADMIN, timeoutMs: 3000 }
        const connection = await connect(options)
        const waiting = errorOf(ValkeyUnreachable, connection.call(['BLPOP', 'none', '0']))
        victim.signal('SIGKILL')
        await waiting
        await victim.exited
        await victim.restart()
        const next = await connect(options)
        await commands.shutdown(next, 'save', 3000)
        await victim.exited
        await errorOf(ValkeyUnreachable, next.call(['PING']))
      } finally {
        await victim.stop()
      }
    })
  })
}

test('a listener that never speaks is a timeout, one that hangs up is unreachable', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined))
  const rude = createServer((socket) => socket.destroy())
  const dir = join(process.env.TMPDIR ?? '/tmp', `silent-${process.pid}`)
  await Promise.all([silent, rude].map((one, i) => new Promise<void>((done) => one.listen(`${dir}-${i}.sock`, done))))
  try {
    const options = { ...ADMIN, timeoutMs: 150 }
    await errorOf(ValkeyTimeout, connect({ ...options, socket: { path: `${dir}-0.sock` } }))
    await errorOf(ValkeyUnreachable, connect({ ...options, socket: { path: `${dir}-1.sock` } }))
  } finally {
    for (const one of [silent, rude]) one.close()
  }
})
