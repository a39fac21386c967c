/** No accepted privileges reach a forbidden command, on any supported engine: every command, asked by ACL DRYRUN. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { CONNECT_COMMANDS, FORBIDDEN } from '../../src/domain/acl/ceiling.ts'
import { CATEGORIES, COMMANDS, engineHas } from '../../src/domain/acl/command-table.ts'
import { permittedCommands } from '../../src/domain/acl/evaluate.ts'
import { presetNames } from '../../src/domain/acl/presets.ts'
import { runnableCommands, sampleWords } from '../../src/domain/acl/probe.ts'
import { setUserArgs } from '../../src/domain/acl/render.ts'
import { parsePrivileges } from '../../src/domain/acl/rules.ts'
import { platformUsers, tenantAclUser } from '../../src/domain/acl/tenant-user.ts'
import { acceptedPrivileges, propertyRuns } from '../support/acl-arbitraries.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { type RawValkey, startRawValkey } from '../support/raw-valkey.ts'

const DIGEST = 'a'.repeat(64)
const tenant = (privileges: string[]) =>
  tenantAclUser({
    username: 'app',
    passwordSha256s: [DIGEST],
    privileges,
    keyPattern: '~*',
    channelPattern: '&*',
  })

/** Names of the runnable commands that the server itself says a user may run. */
async function allowedByServer(server: RawValkey, username: string): Promise<Set<string>> {
  const commands = runnableCommands(server.version)
  const replies = await server.callAll(
    commands.map((command) => ['ACL', 'DRYRUN', username, ...sampleWords(command, 'k', 'c')]),
  )
  for (const [i, reply] of replies.entries()) {
    assert.ok(!(reply instanceof Error), `${commands[i]?.name} could not be tried: ${String(reply)}`)
  }
  return new Set(commands.filter((_, i) => replies[i] === 'OK').map(({ name }) => name))
}

for (const { version, path } of valkeyBinaries()) {
  describe(`tenant ceiling on valkey ${version}`, () => {
    let server: RawValkey
    before(async () => {
      server = await startRawValkey({ binary: path })
    })
    after(() => server.stop())

    const apply = async (privileges: string[]): Promise<Set<string>> => {
      const user = tenant(privileges)
      assert.equal(await server.call('ACL', 'SETUSER', ...setUserArgs(user)), 'OK')
      return allowedByServer(server, user.name)
    }

    test('the table holds exactly the commands and categories of the engine', async () => {
      const listed = ((await server.call('COMMAND', 'LIST')) as string[]).sort()
      const known = [...COMMANDS.values()].filter((command) => engineHas(command, server.version))
      assert.deepEqual(known.map(({ name }) => name).sort(), listed)
      assert.deepEqual(((await server.call('ACL', 'CAT')) as string[]).sort(), [...CATEGORIES].sort())
    })

    test('everything asked for at once reaches nothing forbidden, and all the rest', async () => {
      const allowed = await apply(['+@all'])
      const forbidden = runnableCommands(server.version).filter(({ name }) => FORBIDDEN.has(name))
      assert.ok(forbidden.length > 80)
      assert.deepEqual(
        runnableCommands(server.version)
          .map(({ name }) => name)
          .filter((name) => allowed.has(name) === FORBIDDEN.has(name)),
        [],
      )
    })

    test('every category and every accepted command, each alone, stays under the ceiling and does what it says', async () => {
      const names = [...COMMANDS.values()]
        .filter((command) => engineHas(command, server.version))
        .map(({ name }) => name)
      const entries = [...CATEGORIES.map((category) => `+@${category}`), ...names]
      const accepted = entries.flatMap((entry) => {
        const parsed = parsePrivileges([entry], server.version)
        return parsed.ok ? parsed.rules : []
      })
      assert.ok(accepted.length > 250)
      for (const rule of accepted) {
        const allowed = await apply([rule])
        assert.deepEqual(
          [...allowed].filter((name) => FORBIDDEN.has(name)),
          [],
          rule,
        )
        const name = rule.slice(1)
        const own = [name, ...(COMMANDS.get(name)?.subcommands ?? [])]
        const asked = name.startsWith('@')
          ? []
          : own.filter((one) => runnableCommands(server.version).some((c) => c.name === one))
        assert.deepEqual(
          asked.filter((one) => !allowed.has(one)),
          [],
          rule,
        )
      }
    })

    test('no combination of accepted privileges reaches a forbidden command', async () => {
      await fc.assert(
        fc.asyncProperty(acceptedPrivileges(server.version), async (privileges) => {
          const allowed = await apply(privileges)
          assert.deepEqual(
            [...allowed].filter((name) => FORBIDDEN.has(name)),
            [],
          )
          const predicted = permittedCommands(tenant(privileges).commands)
          for (const { name, needsNoPermission } of runnableCommands(server.version)) {
            assert.equal(allowed.has(name), needsNoPermission || predicted.has(name), name)
          }
        }),
        { numRuns: propertyRuns(25) },
      )
    })

    test('every preset connects, stays under the ceiling and keeps its name’s promise', async () => {
      for (const preset of presetNames) {
        const allowed = await apply([preset])
        assert.deepEqual(
          [...allowed].filter((name) => FORBIDDEN.has(name)),
          [],
          preset,
        )
        const connecting = CONNECT_COMMANDS.flatMap((name) => COMMANDS.get(name)?.subcommands ?? []).concat(
          CONNECT_COMMANDS,
        )
        const runnable = runnableCommands(server.version).map(({ name }) => name)
        assert.deepEqual(
          runnable.filter((name) => connecting.includes(name) && !allowed.has(name)),
          [],
          preset,
        )
        const writes = [...allowed].filter((name) => COMMANDS.get(name)?.categories.includes('write'))
        assert.equal(writes.length > 0, preset !== 'read-only' && preset !== 'pubsub', `${preset}: ${writes.join(' ')}`)
        assert.equal(allowed.has('get'), preset !== 'pubsub', preset)
        assert.equal(allowed.has('publish'), preset === 'pubsub' || preset === 'queue' || preset === 'full', preset)
        assert.equal(allowed.has('evalsha'), preset === 'queue' || preset === 'full', preset)
      }
    })

    test('a script reaches no more than its caller', async () => {
      await apply(['+@all'])
      await server.call('ACL', 'SETUSER', 'app', '>scriptcaller1')
      const own = await server.login('app', 'scriptcaller1')
      for (const call of ["'CONFIG','GET','*'", "'FLUSHALL'", "'ACL','LIST'", "'FUNCTION','LIST'"]) {
        await assert.rejects(
          own('EVAL', `return redis.call(${call})`, '0'),
          /ACL failure|NOPERM|can't run|not allowed/i,
        )
      }
      assert.equal(await own('EVAL', "return redis.call('SET', KEYS[1], 'v')", '1', 'k'), 'OK')
    })

    test('the platform’s own users have what they need and no more', async () => {
      for (const user of platformUsers({ adminSha256: DIGEST, replicationSha256: DIGEST, monitorSha256: DIGEST })) {
        if (user.name === 'default') continue
        assert.equal(await server.call('ACL', 'SETUSER', ...setUserArgs(user)), 'OK')
      }
      const total = runnableCommands(server.version).length
      assert.equal((await allowedByServer(server, 'valkeep-admin')).size, total)
      const replica = await allowedByServer(server, 'valkeep-replication')
      assert.deepEqual([...replica].sort(), ['auth', 'hello', 'ping', 'psync', 'quit', 'replconf', 'reset', 'sync'])
      const monitor = await allowedByServer(server, 'valkeep-monitor')
      assert.ok(monitor.has('info') && monitor.has('latency|latest'))
      const tooMuch = ['config|get', 'slowlog|get', 'monitor', 'client|list', 'get', 'set', 'keys', 'scan', 'acl|list']
      assert.deepEqual(
        tooMuch.filter((name) => monitor.has(name)),
        [],
      )
    })
  })
}
