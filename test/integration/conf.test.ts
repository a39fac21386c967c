/** The rendered configuration against real servers of every supported line. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { liveOrRestart } from '../../src/domain/conf/change.ts'
import { managedConf } from '../../src/domain/conf/managed.ts'
import { parseConf } from '../../src/domain/conf/parse.ts'
import { renderConf } from '../../src/domain/conf/render.ts'
import { diffConf } from '../../src/domain/conf/same.ts'
import {
  type InstanceSettings,
  instanceSettingsSchema,
  settingNames,
  settings,
} from '../../src/domain/conf/settings.ts'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import { configGetAll, configSet } from '../../src/valkey/commands.ts'
import { ValkeyReplyError } from '../../src/valkey/errors.ts'
import { ADMIN, type ManagedValkey, startManagedValkey } from '../support/managed-valkey.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { startRawValkey } from '../support/raw-valkey.ts'

/** Every setting at the end of its range; the shapes that have no ends by hand. */
function extreme(end: 'least' | 'most'): InstanceSettings {
  const byHand: Record<'least' | 'most', InstanceSettings> = {
    least: {
      maxmemory_policy: 'noeviction',
      appendfsync: 'everysec',
      save: [],
      notify_keyspace_events: 'lKg',
      list_max_listpack_size: -5,
    },
    most: {
      maxmemory_policy: 'volatile-ttl',
      appendfsync: 'always',
      save: Array.from({ length: 8 }, (_, i) => ({ after_s: 60 * (8 - i), changes: i + 1 })),
      notify_keyspace_events: 'KEg$lshzxetdmnA',
      list_max_listpack_size: 8192,
    },
  }
  const ends = settingNames.map((name) => {
    const { schema } = settings[name]
    if (schema instanceof z.ZodNumber) return [name, end === 'least' ? schema.minValue : schema.maxValue]
    if (schema instanceof z.ZodBoolean) return [name, end === 'most']
    assert.notEqual(byHand[end][name], undefined, `no ${end} for ${name}`)
    return [name, byHand[end][name]]
  })
  return instanceSettingsSchema.parse(Object.fromEntries(ends))
}

async function withServer(
  options: { binary: string; version: string; settings?: InstanceSettings },
  body: (server: ManagedValkey, connection: ValkeyConnection) => Promise<void>,
): Promise<void> {
  const server = await startManagedValkey(options)
  try {
    await using connection = await connect({ socket: { path: server.layout.socket }, ...ADMIN, timeoutMs: 5000 })
    await body(server, connection)
  } finally {
    await server.stop()
  }
}

const nothing = { file: false, live: [], restart: [] }

for (const { version: line, path: binary } of valkeyBinaries()) {
  const version = `${line}.0`

  describe(`configuration on valkey ${line}`, () => {
    for (const [what, given] of [
      ['no setting', {}],
      ['every setting at its least', extreme('least')],
      ['every setting at its most', extreme('most')],
    ] as const) {
      test(`a fresh server with ${what} runs what its file says`, async () => {
        await withServer({ binary, version, settings: given }, async (server, connection) => {
          const file = parseConf(readFileSync(server.layout.conf, 'utf8'))
          const running = await configGetAll(connection)
          const unreported = server.conf.filter(({ name }) => running[name] === undefined).map(({ name }) => name)
          assert.deepEqual(unreported, [])
          assert.deepEqual(diffConf(server.conf, file, running), nothing)
        })
      })
    }

    test('every live setting changes on the running server, up and down, and nothing else does', async () => {
      await withServer({ binary, version }, async (server, connection) => {
        for (const end of ['most', 'least'] as const) {
          const { databases: _databases, io_threads: _threads, ...live } = extreme(end)
          // Below the open files that any machine gives: the server refuses more.
          const desired = managedConf({
            layout: server.layout,
            listen: { host: '127.0.0.1', port: server.port },
            maxMemoryMb: end === 'most' ? 65 : 1,
            settings: { ...live, maxclients: end === 'most' ? 500 : 10 },
            version,
          })
          const diff = diffConf(desired, server.conf, await configGetAll(connection))
          assert.ok(diff.live.length > 25, String(diff.live.length))
          assert.deepEqual(diff.restart, [])
          await configSet(connection, diff.live)
          assert.deepEqual(diffConf(desired, desired, await configGetAll(connection)), nothing)
        }
      })
    })

    test('the table of what changes live tells the truth', async () => {
      await withServer({ binary, version }, async (server, connection) => {
        await configSet(
          connection,
          server.conf.filter(({ name }) => liveOrRestart.get(name) === 'live'),
        )
        for (const directive of server.conf.filter(({ name }) => liveOrRestart.get(name) === 'restart')) {
          // Since the 9 line io-threads changes live too; a restart does it on all.
          if (directive.name === 'io-threads' && line === '9') continue
          await assert.rejects(configSet(connection, [directive]), (error) => {
            assert.ok(error instanceof ValkeyReplyError)
            assert.match(error.message, new RegExp(`argument '${directive.name}'.*(immutable|protected) config`))
            return true
          })
        }
      })
    })

    test('a value changed behind our back is seen and goes back, a refused CONFIG SET changes nothing', async () => {
      await withServer({ binary, version }, async (server, connection) => {
        await connection.call(['CONFIG', 'SET', 'maxmemory', '1mb', 'save', '', 'tls-protocols', 'TLSv1.3'])
        const diff = diffConf(server.conf, server.conf, await configGetAll(connection))
        const names = diff.live.map(({ name }) => name)
        assert.deepEqual(names.toSorted(), ['maxmemory', 'save', 'tls-protocols'])
        await assert.rejects(
          configSet(connection, [...diff.live, { name: 'hz', args: ['not-a-number'] }]),
          (error) => error instanceof ValkeyReplyError && !error.message.includes('not-a-number'),
        )
        assert.equal((await configGetAll(connection)).maxmemory, '1048576')
        await configSet(connection, diff.live)
        assert.deepEqual(diffConf(server.conf, server.conf, await configGetAll(connection)), nothing)
      })
    })

    test('values of any kind reach the server as they are, and no line gets in with them', async () => {
      const value = fc
        .oneof(
          fc.string({ unit: fc.constantFrom(...` ab"'\\\n\r\t#\x07\x1b\x7fé€😀`) }),
          fc.constantFrom('x\nport 7777', '" \nport 7777 "', "'", '\\', '\\x41', '# no comment', ' edge '),
        )
        .filter((text) => text !== '')
      await fc.assert(
        fc.asyncProperty(fc.tuple(value, value, value), async ([zone, user, auth]) => {
          const dir = mkdtempSync(join(tmpdir(), 'conf-'))
          const conf = join(dir, 'valkey.conf')
          const directives = [
            { name: 'availability-zone', args: [zone] },
            { name: 'primaryuser', args: [user] },
            { name: 'primaryauth', args: [auth] },
          ]
          writeFileSync(conf, renderConf(directives))
          const server = await startRawValkey({ binary, dir, args: ['--include', conf] })
          try {
            for (const { name, args } of directives) {
              assert.deepEqual(Object.values((await server.call('CONFIG', 'GET', name)) as object), args)
            }
            assert.deepEqual(Object.values((await server.call('CONFIG', 'GET', 'port')) as object), ['0'])
          } finally {
            await server.stop()
            await rm(dir, { recursive: true, force: true })
          }
        }),
        { numRuns: 12 },
      )
    })
  })
}
