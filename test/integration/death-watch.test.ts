/** Watching real servers die, freeze, refuse and hang up. */
import assert from 'node:assert/strict'
import { EventEmitter, on } from 'node:events'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import { type DeathWatch, makeDeathWatch } from '../../src/valkey/death-watch.ts'
import { ADMIN, type ManagedValkey, startManagedValkey } from '../support/managed-valkey.ts'
import { valkeyBinaries } from '../support/parts.ts'

type Seen = {
  /** All that was reported, in order. */
  events: string[]
  /** The next event not yet taken. */
  next: () => Promise<string>
  close: () => void
}

function observe(deathWatch: DeathWatch, socketPath: string, intervalMs = 60, deadlineMs = 250): Seen {
  const emitter = new EventEmitter()
  const stream = on(emitter, 'event')
  const events: string[] = []
  const report = (event: string): void => {
    events.push(event)
    emitter.emit('event', event)
  }
  const { close } = deathWatch.watch({
    socketPath,
    intervalMs,
    deadlineMs,
    onDown: (reason) => report(reason),
    onUnresponsive: () => report('unresponsive'),
    onResponsive: () => report('responsive'),
  })
  return { events, close, next: async () => String((await stream.next()).value) }
}

async function withServer(
  binary: string,
  version: string,
  body: (server: ManagedValkey, admin: ValkeyConnection) => Promise<void>,
): Promise<void> {
  const server = await startManagedValkey({ binary, version })
  try {
    const admin = await connect({ socket: { path: server.layout.socket }, ...ADMIN, timeoutMs: 5000 })
    try {
      await body(server, admin)
    } finally {
      await admin.close()
    }
  } finally {
    await server.stop()
  }
}

/** How often clients other than ours have connected so far. */
async function connectionsReceived(admin: ValkeyConnection): Promise<number> {
  return Number(/total_connections_received:(\d+)/.exec(String(await admin.call(['INFO', 'stats'])))?.[1])
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!(await condition())) {
    assert.ok(performance.now() < endMs, 'the condition did not come true')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

for (const { version: line, path: binary } of valkeyBinaries()) {
  const version = `${line}.0`

  describe(`death watch on valkey ${line}`, () => {
    test('a killed server is reported at once, by event and not by deadline', async () => {
      await withServer(binary, version, async (server) => {
        const seen = observe(makeDeathWatch(), server.layout.socket, 60_000, 60_000)
        const beganMs = performance.now()
        server.signal('SIGKILL')
        assert.equal(await seen.next(), 'closed')
        assert.ok(performance.now() - beganMs < 5000)
        assert.deepEqual(seen.events, ['closed'])
      })
    })

    test('a server told to shut down is reported too', async () => {
      await withServer(binary, version, async (server) => {
        const seen = observe(makeDeathWatch(), server.layout.socket, undefined, 5000)
        server.signal('SIGTERM')
        assert.equal(await seen.next(), 'closed')
      })
    })

    test('a frozen server is unresponsive, a thawed one responsive, and a frozen one that is killed is down', async () => {
      await withServer(binary, version, async (server) => {
        const seen = observe(makeDeathWatch(), server.layout.socket)
        server.signal('SIGSTOP')
        assert.equal(await seen.next(), 'unresponsive')
        server.signal('SIGCONT')
        assert.equal(await seen.next(), 'responsive')
        server.signal('SIGSTOP')
        assert.equal(await seen.next(), 'unresponsive')
        server.signal('SIGKILL')
        assert.equal(await seen.next(), 'closed')
        assert.deepEqual(seen.events, ['unresponsive', 'responsive', 'unresponsive', 'closed'])
      })
    })

    test('a watch begun on a frozen server says so', async () => {
      await withServer(binary, version, async (server) => {
        server.signal('SIGSTOP')
        const seen = observe(makeDeathWatch(), server.layout.socket)
        assert.equal(await seen.next(), 'unresponsive')
        server.signal('SIGCONT')
        assert.equal(await seen.next(), 'responsive')
        seen.close()
      })
    })

    test('PING keeps the connection through the idle timeout of the server', async () => {
      await withServer(binary, version, async (server, admin) => {
        await admin.call(['CONFIG', 'SET', 'timeout', '1'])
        const seen = observe(makeDeathWatch(), server.layout.socket, 200, 5000)
        // A client that says nothing shows when the timeout has struck.
        const idle = await connect({ socket: { path: server.layout.socket }, ...ADMIN, timeoutMs: 5000 })
        await idle.call(['CLIENT', 'SETNAME', 'idle'])
        const received = await connectionsReceived(admin)
        await until(async () => !String(await admin.call(['CLIENT', 'LIST'])).includes('name=idle'))
        assert.equal(await connectionsReceived(admin), received)
        assert.deepEqual(seen.events, [])
        seen.close()
      })
    })

    test('a server that hangs up on us is not dead: asked rarely, killed by hand, full of clients', async () => {
      await withServer(binary, version, async (server, admin) => {
        const seen = observe(makeDeathWatch(), server.layout.socket, undefined, 5000)
        const before = await connectionsReceived(admin)
        await until(async () => /(^|\n)id=.*cmd=ping/.test(String(await admin.call(['CLIENT', 'LIST']))))
        await admin.call(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
        await until(async () => (await connectionsReceived(admin)) > before)

        await admin.call(['CONFIG', 'SET', 'maxclients', '1'])
        await admin.call(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'])
        const rejected = async (): Promise<number> =>
          Number(/rejected_connections:(\d+)/.exec(String(await admin.call(['INFO', 'stats'])))?.[1])
        await until(async () => (await rejected()) >= 3)
        assert.deepEqual(seen.events, [])
        server.signal('SIGKILL')
        assert.equal(await seen.next(), 'closed')
      })
    })

    test('one that asks more rarely than the idle timeout allows calls again each time', async () => {
      await withServer(binary, version, async (server, admin) => {
        await admin.call(['CONFIG', 'SET', 'timeout', '1'])
        const before = await connectionsReceived(admin)
        const seen = observe(makeDeathWatch(), server.layout.socket, 60_000, 5000)
        await until(async () => (await connectionsReceived(admin)) >= before + 2)
        assert.deepEqual(seen.events, [])
        server.signal('SIGKILL')
        assert.equal(await seen.next(), 'closed')
      })
    })

    test('a socket that comes later is waited for; one that never comes is absent', async () => {
      await withServer(binary, version, async (server) => {
        server.signal('SIGTERM')
        await server.exited
        const deathWatch = makeDeathWatch()
        const seen = observe(deathWatch, server.layout.socket, 60, 10_000)
        const never = observe(deathWatch, join(server.layout.dir, 'never.sock'), 60, 200)
        assert.equal(await never.next(), 'absent')
        assert.deepEqual(seen.events, [])
        await server.restart()
        const admin = await connect({ socket: { path: server.layout.socket }, ...ADMIN, timeoutMs: 5000 })
        await until(async () => String(await admin.call(['CLIENT', 'LIST'])).includes('cmd=ping'))
        server.signal('SIGKILL')
        assert.equal(await seen.next(), 'closed')
        await admin.close()
      })
    })

    test('a closed watch reports nothing and leaves no connection', async () => {
      await withServer(binary, version, async (server, admin) => {
        const deathWatch = makeDeathWatch()
        const seen = observe(deathWatch, server.layout.socket)
        const other = observe(deathWatch, server.layout.socket)
        await until(async () => Number(String(await admin.call(['CLIENT', 'LIST'])).match(/^id=/gm)?.length) === 3)
        seen.close()
        seen.close()
        await until(async () => Number(String(await admin.call(['CLIENT', 'LIST'])).match(/^id=/gm)?.length) === 2)
        server.signal('SIGKILL')
        assert.equal(await other.next(), 'closed')
        assert.deepEqual(seen.events, [])
      })
    })
  })
}
