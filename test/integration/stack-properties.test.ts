/**
 * What each user of a stack may do, on running servers of every line with the generated configuration, ACL file and certificates: the
 * source's properties 1 to 5 and 8. The command tables (stack-acl.test.ts) ask ACL DRYRUN; here the commands are sent.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import fc from 'fast-check'
import { type Command, COMMANDS, engineHas } from '../../src/domain/acl/command-table.ts'
import { parseAclFile } from '../../src/domain/acl/parse.ts'
import { runnableCommands, sampleWords } from '../../src/domain/acl/probe.ts'
import { DISABLED_COMMANDS } from '../../src/domain/stack/conf.ts'
import { secretFiles } from '../../src/domain/stack/places.ts'
import { ValkeyRefused } from '../../src/valkey/errors.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { valkeyBinaries } from '../support/parts.ts'
import {
  engineOf,
  makeStack,
  pingOverTls,
  type Stack,
  type StackServer,
  startStackServer,
  watcher,
} from '../support/stack.ts'

type Word = string | Buffer
type Session = Awaited<ReturnType<StackServer['login']>>

const users = ['mcp-agent', 'mcp-admin', 'log-writer', 'healthcheck'] as const
const families = ['molis:blocked:', 'molis:approved:', 'molis:config:']
const logKey = 'molis:log:events'

const nobodyHas = /^ERR unknown command/
const noCommand = /^(NOPERM|EXECABORT .*: NOPERM) User \S+ has no permissions to run/
const noKey = /^NOPERM No permissions to access a key/

const words = (text: string): string[] => text.split(' ')

/** The reply, or the message of the error. */
const outcome = (session: Session, command: readonly Word[]): Promise<unknown> =>
  session.call(command).catch((error: unknown) => (error as Error).message)

async function refused(session: Session, commands: readonly (readonly Word[])[], why: RegExp): Promise<void> {
  const outcomes = await Promise.all(commands.map((command) => outcome(session, command)))
  for (const [i, text] of outcomes.entries()) assert.match(String(text), why, commands[i]?.map(String).join(' '))
}

/** Runs a property with a seed that is told; VALKEEP_TEST_SEED gives it back. */
async function holds<T>(t: TestContext, of: fc.Arbitrary<T>, check: (value: T) => Promise<void>): Promise<void> {
  const seed = Number(process.env['VALKEEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  await fc.assert(fc.asyncProperty(of, check), { seed, numRuns: propertyRuns(100) })
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 24 }).map((array) => Buffer.from(array)),
  fc.string({ unit: 'binary', maxLength: 24 }).map((text) => Buffer.from(text)),
)

const startsWith = (key: Buffer, prefixes: readonly string[]) =>
  prefixes.some((prefix) => key.subarray(0, prefix.length).equals(Buffer.from(prefix)))

/** Any key behind one of these prefixes. */
const keyWithin = (prefixes: readonly string[]) =>
  fc.tuple(fc.constantFrom(...prefixes), bytes).map(([prefix, rest]) => Buffer.concat([Buffer.from(prefix), rest]))

/** Keys that only look as if they were behind one: a letter taken out, another case, another byte before it. */
const keyBeside = (prefixes: readonly string[], named: readonly string[]) =>
  fc
    .oneof(
      fc.constantFrom(...named).map((key) => Buffer.from(key)),
      bytes,
      fc
        .tuple(fc.constantFrom(...prefixes), fc.nat({ max: 30 }), bytes)
        .map(([prefix, at, rest]) =>
          Buffer.concat([
            Buffer.from(prefix.slice(0, at % prefix.length)),
            Buffer.from(prefix.slice((at % prefix.length) + 1)),
            rest,
          ]),
        ),
      fc
        .tuple(fc.constantFrom(...prefixes), bytes)
        .map(([prefix, rest]) => Buffer.from(`${prefix.toUpperCase()}${rest}`)),
      fc.tuple(bytes, fc.constantFrom(...prefixes)).map(([rest, prefix]) => Buffer.from(`x${rest}${prefix}1`)),
    )
    .filter((key) => !startsWith(key, prefixes))

/** Reads and writes of one key, by every kind of access. */
const readsAndWrites = (key: Word): Word[][] => [
  ['GET', key],
  ['SET', key, 'v'],
  ['APPEND', key, 'v'],
  ['GETEX', key, 'PX', '1'],
  ['EXPIRE', key, '1'],
  ['EXISTS', key],
  ['TYPE', key],
  ['HSET', key, 'f', 'v'],
  ['HGETALL', key],
  ['LPUSH', key, 'v'],
  ['LRANGE', key, '0', '-1'],
  ['SADD', key, 'v'],
  ['SMEMBERS', key],
  ['ZADD', key, '1', 'v'],
  ['ZRANGE', key, '0', '-1'],
  ['XADD', key, '*', 'f', 'v'],
  ['DUMP', key],
]

/** Two keys in one command, of which one is not the user's. */
const acrossTo = (own: Word, foreign: Word): Word[][] => [
  ['COPY', own, foreign],
  ['COPY', foreign, own],
  ['MGET', own, foreign],
  ['MSET', own, 'v', foreign, 'v'],
  ['LMOVE', own, foreign, 'LEFT', 'LEFT'],
  ['SUNIONSTORE', foreign, own],
  ['SUNIONSTORE', own, foreign],
  ['ZRANGESTORE', foreign, own, '0', '-1'],
  ['BITOP', 'NOT', foreign, own],
]

/** Its certificates are those of all: new keys take seconds. */
let made: Stack
before(async () => {
  made = await makeStack()
})
after(() => made?.remove())

for (const { version, path: binary } of valkeyBinaries())
  describe(`users of a running stack on valkey ${version}`, () => {
    let stack: Stack
    let server: StackServer
    let engine: string
    /** May do everything that is not taken away: the judge of what happened. */
    let judge: Session
    const sessions = new Map<string, Session>()
    const as = (user: string): Session => sessions.get(user) ?? assert.fail(user)

    before(async () => {
      stack = await makeStack({ engine: engineOf(version), users: { watcher }, certificatesOf: made })
      server = await startStackServer({ binary, stack })
      for (const user of [...users, 'watcher']) sessions.set(user, await server.login(user))
      judge = as('watcher')
      engine = /valkey_version:(\S+)/.exec(String(await judge.call(['INFO', 'server'])))?.[1] ?? assert.fail()
    })
    after(async () => {
      await server?.stop()
      stack?.remove()
    })

    const isDisabled = ({ name, container }: Command) =>
      DISABLED_COMMANDS.some((taken) => taken.toLowerCase() === (container ?? name))

    /** Sends every command of the engine that `of` names: each has to be refused. */
    async function allRefused(user: string, of: (command: Command) => boolean, key: string): Promise<number> {
      const commands = runnableCommands(engine).filter((command) => !command.needsNoPermission && of(command))
      const sent = commands.map((command) => sampleWords(command, key, 'news'))
      const outcomes = await Promise.all(sent.map((command) => outcome(as(user), command)))
      for (const [i, text] of outcomes.entries()) {
        const command = commands[i] ?? assert.fail()
        assert.match(String(text), isDisabled(command) ? nobodyHas : noCommand, `${user}: ${command.name}`)
      }
      return commands.length
    }

    test('property 1: the eleven commands are unknown, to every user and to one who may do everything', async () => {
      await judge.call(['SET', 'kept', 'v'])
      const forms = DISABLED_COMMANDS.flatMap((name) => {
        const others = [...COMMANDS.values()].filter((command) => command.container === name.toLowerCase())
        const subcommands = others.map((command) => [name, ...command.name.split('|').slice(1)])
        return [[name], [name.toLowerCase()], [name, 'GET', '*'], [name, 'NO', 'ONE'], ...subcommands]
      })
      assert.ok(forms.length > 50)
      for (const user of [...users, 'watcher']) await refused(as(user), forms, nobodyHas)
      for (const user of ['mcp-admin', 'watcher'])
        for (const name of DISABLED_COMMANDS)
          await refused(as(user), [['EVAL', `return redis.call('${name}')`, '0']], /Unknown command called from script/)
      assert.equal(await judge.call(['GET', 'kept']), 'v')
    })

    test('property 2: mcp-agent reads and writes whatever is within its three families', async (t) => {
      await holds(t, fc.tuple(keyWithin(families), fc.string()), async ([key, value]) => {
        assert.equal(await as('mcp-agent').call(['SET', key, value]), 'OK')
        assert.equal(await as('mcp-agent').call(['GET', key]), value)
        assert.equal(await judge.call(['DEL', key]), 1)
      })
    })

    test('property 2: mcp-agent reaches no other key, however near', async (t) => {
      const named = ['molis:blockedx', 'MOLIS:blocked:1', 'molis:blocked', 'molis:*', logKey, ' molis:blocked:1', '']
      const own = 'molis:blocked:own'
      await holds(t, keyBeside(families, named), async (key) => {
        await refused(as('mcp-agent'), [...readsAndWrites(key), ...acrossTo(own, key)], noKey)
        assert.equal(await judge.call(['EXISTS', key]), 0)
      })
    })

    test('property 2: mcp-agent has no command that takes a key away, nor the administration', async () => {
      const agent = as('mcp-agent')
      for (const family of families) {
        const key = `${family}kept`
        await agent.call(['SET', key, 'v'])
        const removing = ['DEL', 'UNLINK', 'GETDEL', 'RENAME', 'RENAMENX', 'MOVE', 'RESTORE', 'DELIFEQ', 'SORT']
        const known = removing.filter((name) => {
          const command = COMMANDS.get(name.toLowerCase())
          return command !== undefined && engineHas(command, engine)
        })
        const sent = known.map((name) => sampleWords(COMMANDS.get(name.toLowerCase()) ?? assert.fail(), key, 'news'))
        await refused(agent, [...sent, ['SORT', key, 'STORE', `${family}other`]], noCommand)
        assert.equal(await agent.call(['GET', key]), 'v')
        await refused(agent, [['EVAL', "return redis.call('DEL', KEYS[1])", '1', key]], noCommand)
      }
      const administration = ['CLIENT KILL TYPE normal', 'CLIENT PAUSE 1', 'CLIENT LIST', 'CLIENT NO-EVICT on']
      const others = [
        'CLIENT REPLY OFF',
        'FUNCTION LIST',
        'FUNCTION FLUSH',
        'ACL WHOAMI',
        'SWAPDB 0 1',
        'PUBLISH news x',
      ]
      await refused(agent, [...administration, ...others].map(words), noCommand)
      const isAdministration = ({ name, categories }: Command) =>
        name !== 'info' &&
        ['admin', 'dangerous', 'scripting', 'pubsub'].some((category) => categories.includes(category))
      assert.ok((await allRefused('mcp-agent', isAdministration, 'molis:blocked:1')) > 80)
      assert.match(String(await agent.call(['INFO'])), /valkey_version/)
    })

    test('what the documents admit: mcp-agent can make a key vanish all the same', async () => {
      const agent = as('mcp-agent')
      const key = 'molis:approved:admitted'
      const ways: [make: string, end: string][] = [
        [`SET ${key} v`, `EXPIRE ${key} 0`],
        [`SET ${key} v`, `SET ${key} v PXAT 1`],
        [`SET ${key} v`, `GETEX ${key} PXAT 1`],
        [`SADD ${key} v`, `SPOP ${key}`],
        [`HSET ${key} f v`, `HDEL ${key} f`],
        [`LPUSH ${key} v`, `LPOP ${key}`],
      ]
      for (const [make, end] of ways) {
        await agent.call(words(make))
        assert.equal(await judge.call(['EXISTS', key]), 1, make)
        await agent.call(words(end))
        assert.equal(await judge.call(['EXISTS', key]), 0, end)
      }
    })

    test('property 3: mcp-admin has everything under the prefix', async (t) => {
      const admin = as('mcp-admin')
      await holds(t, fc.tuple(keyWithin(['molis:']), fc.string()), async ([key, value]) => {
        const other = Buffer.concat([key, Buffer.from(':moved')])
        assert.equal(await admin.call(['SET', key, value]), 'OK')
        assert.equal(await admin.call(['RENAME', key, other]), 'OK')
        assert.equal(await admin.call(['EVAL', "return redis.call('GET', KEYS[1])", '1', other]), value)
        assert.equal(await admin.call(['DEL', other]), 1)
      })
    })

    test('property 3: mcp-admin reaches no other key, and its scripts no more than itself', async (t) => {
      const admin = as('mcp-admin')
      await holds(t, keyBeside(['molis:'], ['molis', 'Molis:1', 'molis;1', 'foreign:1', '']), async (key) => {
        const scripted: Word[][] = [['EVAL', 'return 1', '1', key]]
        await refused(admin, [...readsAndWrites(key), ...acrossTo('molis:own', key), ...scripted], noKey)
        await refused(
          admin,
          [['EVAL', "return redis.call('SET', ARGV[1], 'v')", '0', key]],
          /ACL failure in script: No permissions to access a key/,
        )
        assert.equal(await judge.call(['EXISTS', key]), 0)
      })
    })

    test('property 3: mcp-admin has nothing dangerous, no functions and no other users', async () => {
      const isDenied = ({ name, container = name, categories }: Command) =>
        (categories.includes('dangerous') && name !== 'info') ||
        container === 'function' ||
        (container === 'acl' && name !== 'acl|whoami') ||
        ['script|flush', 'client|kill', 'client|reply', 'client|list'].includes(name)
      assert.ok((await allRefused('mcp-admin', isDenied, 'molis:1')) > 70)
      assert.equal(await as('mcp-admin').call(['ACL', 'WHOAMI']), 'mcp-admin')
      assert.match(String(await as('mcp-admin').call(['INFO'])), /valkey_version/)
      for (const call of [
        "'ACL','LIST'",
        "'FUNCTION','LIST'",
        "'SWAPDB','0','1'",
        "'SORT','molis:1'",
        "'SCRIPT','FLUSH'",
      ])
        await refused(
          as('mcp-admin'),
          [['EVAL', `return redis.call(${call})`, '0']],
          /ACL failure in script: .*no permissions to run|command is not allowed from script/,
        )
    })

    test('property 4: log-writer has four commands on one key', async (t) => {
      const writer = as('log-writer')
      assert.equal(await writer.call(['PING']), 'PONG')
      assert.equal(await writer.call(['ZADD', logKey, '1', 'event']), 1)
      assert.deepEqual(await writer.call(['ZRANGEBYSCORE', logKey, '-inf', '+inf']), ['event'])
      assert.equal(await writer.call(['ZCARD', logKey]), 1)
      assert.equal(await writer.call(['CLIENT', 'SETNAME', 'a-client']), 'OK')
      assert.equal(await writer.call(['CLIENT', 'SETINFO', 'LIB-NAME', 'a-library']), 'OK')
      const own = ['zadd', 'zrangebyscore', 'zcard', 'ping', 'client|setname', 'client|setinfo']
      assert.ok((await allRefused('log-writer', ({ name }) => !own.includes(name), logKey)) > 250)
      const named = [
        `${logKey}2`,
        'molis:log:event',
        `${logKey}\0`,
        logKey.toUpperCase(),
        'molis:log:',
        'molis:blocked:1',
      ]
      const beside = fc.oneof(
        fc.constantFrom(...named).map((key) => Buffer.from(key)),
        keyWithin(['molis:log:']),
        bytes,
      )
      await holds(
        t,
        beside.filter((key) => !key.equals(Buffer.from(logKey))),
        async (key) => {
          const sent = [
            ['ZADD', key, '1', 'v'],
            ['ZRANGEBYSCORE', key, '0', '1'],
            ['ZCARD', key],
          ]
          await refused(writer, sent, noKey)
        },
      )
      assert.equal(await judge.call(['ZCARD', logKey]), 1)
    })

    test('property 5: healthcheck has PING and INFO, and no key', async () => {
      assert.equal(await as('healthcheck').call(['PING']), 'PONG')
      assert.match(String(await as('healthcheck').call(['INFO', 'persistence'])), /aof_enabled:1/)
      const own = ['ping', 'info', 'client|setname', 'client|setinfo']
      for (const key of [logKey, 'molis:blocked:1', 'x'])
        assert.ok((await allRefused('healthcheck', ({ name }) => !own.includes(name), key)) > 250)
    })

    test('property 8: the ACL file has the digest of each password, and the password logs in', async () => {
      const acl = new Map(
        parseAclFile(readFileSync(join(stack.secrets, secretFiles.acl), 'utf8')).map((user) => [user.name, user]),
      )
      for (const user of users) {
        assert.deepEqual(acl.get(user)?.passwords, [sha256Hex(stack.passwordOf(user))])
        await using session = await server.login(user)
        assert.equal(await session.call(['PING']), 'PONG')
      }
      assert.equal(acl.get('default')?.on, false)
    })

    test('no other password logs anybody in, and default nobody', async (t) => {
      for (const user of [...users, 'default', 'nobody']) {
        const others = users.filter((other) => other !== user).map((other) => stack.passwordOf(other))
        const digest = users.some((known) => known === user) ? [sha256Hex(stack.passwordOf(user))] : []
        for (const password of ['', 'default', ...others, ...digest])
          await assert.rejects(server.login(user, { password }), ValkeyRefused, user)
      }
      assert.match(await pingOverTls(stack, server.port), /^-NOAUTH/)
      const letters = fc.constantFrom(...'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789')
      const change = fc.tuple(fc.constantFrom(...users), fc.nat({ max: 31 }), letters)
      await holds(t, change, async ([user, at, letter]) => {
        const right = stack.passwordOf(user)
        fc.pre(right[at] !== letter)
        const auth = ['AUTH', user, `${right.slice(0, at)}${letter}${right.slice(at + 1)}`]
        await refused(as('healthcheck'), [auth], /^WRONGPASS/)
      })
      assert.equal(await as('healthcheck').call(['PING']), 'PONG')
    })
  })
