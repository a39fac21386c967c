/**
 * The hardened preset's promise on running servers of every line: whatever its agent sends, and in whatever order, no key but its own
 * blocked entries is removed, overwritten, expired or created.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { type Command, COMMANDS } from '../../src/domain/acl/command-table.ts'
import { permittedCommands } from '../../src/domain/acl/evaluate.ts'
import { runnableCommands, sampleWords } from '../../src/domain/acl/probe.ts'
import { stackPresets } from '../../src/domain/stack/presets.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { engineOf, makeStack, type Stack, type StackServer, startStackServer, watcher } from '../support/stack.ts'

type Session = Awaited<ReturnType<StackServer['login']>>

const families = ['molis:blocked', 'molis:approved', 'molis:config', 'molis:log', 'molis:other', 'foreign']
const far = 4_102_444_800_000 // 2100: no run waits for it

/** A key of every type in each family, half of them with a TTL. */
const fillers: ((key: string) => string[])[] = [
  (key) => ['SET', `${key}:string`, '1'],
  (key) => ['SET', `${key}:lasting`, '2', 'PXAT', String(far)],
  (key) => ['HSET', `${key}:hash`, 'a', '1', '1', 'b'],
  (key) => ['RPUSH', `${key}:list`, 'a', '1', 'b'],
  (key) => ['SADD', `${key}:set`, 'a', '1', 'b'],
  (key) => ['ZADD', `${key}:zset`, '1', 'a', '2', '1', '3', 'b'],
  (key) => ['XADD', `${key}:stream`, '1-1', 'a', '1'],
]
const kinds = ['string', 'lasting', 'hash', 'list', 'set', 'zset', 'stream', 'events', 'new', '']
const allKeys = families.flatMap((family) => kinds.map((kind) => `${family}:${kind}`))
const seeded = families.flatMap((family) => fillers.map((fill) => fill(family)))

/** Words that some command takes for an option, a number, a field or a score. */
const options = [
  ...['0', '1', '-1', '2', '1.5', '9223372036854775807', 'a', 'b', '*', '?', '[a', '(1', '+', '-', '+inf', '-inf', '$'],
  ...['EX', 'PX', 'EXAT', 'PXAT', 'NX', 'XX', 'GT', 'LT', 'CH', 'INCR', 'GET', 'KEEPTTL', 'PERSIST', 'IFEQ', 'REPLACE'],
  ...[
    'STORE',
    'STOREDIST',
    'BY',
    'BYSCORE',
    'BYLEX',
    'REV',
    'LIMIT',
    'WITHSCORES',
    'WEIGHTS',
    'KEYS',
    'STREAMS',
    'COUNT',
  ],
  ...['BEFORE', 'AFTER', 'LEFT', 'RIGHT', 'MATCH', 'TYPE', 'DB', 'ABSTTL', 'FIELDS', 'MAXLEN', 'NOMKSTREAM', 'AUTH'],
]
const PLACE = '\0key'
const own = allKeys.filter((name) => name.startsWith('molis:blocked:'))
const key = fc.oneof(fc.constantFrom(...allKeys), fc.constantFrom(...own))
/** Most commands take no more than they must: another word is a syntax error. */
const word = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...options) }, { weight: 2, arbitrary: key })

/** Behind most commands nothing: a word too many is a syntax error. */
const behind = fc.oneof({ weight: 2, arbitrary: fc.constant<string[]>([]) }, fc.array(word, { maxLength: 4 }))

/** A command as its table says it has to be, with any keys and words in its places and some more behind. */
const wordsOf = (command: Command): fc.Arbitrary<string[]> => {
  const sample = sampleWords(command, PLACE, 'news')
  const names = command.name.split('|').length
  const places = sample.map((sampled, i) => {
    if (i < names) return fc.constant(sampled)
    return sampled === PLACE ? key : fc.oneof({ weight: 3, arbitrary: fc.constant(sampled) }, word)
  })
  return fc.tuple(fc.tuple(...places), behind).map((parts) => parts.flat())
}

const commandOf = (commands: readonly Command[]) => fc.constantFrom(...commands).chain(wordsOf)

/** Every key's content and end, in each database: what DUMP says, by its digest. */
const STATE = `
local state = {}
for db = 0, 15 do
  redis.call('SELECT', db)
  local cursor = '0'
  repeat
    local page = redis.call('SCAN', cursor, 'COUNT', 1000)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
      state[#state + 1] = {key, db, redis.sha1hex(redis.call('DUMP', key)), redis.call('PEXPIRETIME', key)}
    end
  until cursor == '0'
end
redis.call('SELECT', 0)
return state`

type Row = [key: string, db: number, digest: string, expires: number]

const isOwn = ([name, db]: Row) => db === 0 && name.startsWith('molis:blocked:')
const byKey = (a: Row, b: Row) => (`${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : 1)

/** The certificates of all: new keys take seconds. */
let made: Stack
before(async () => {
  made = await makeStack()
})
after(() => made?.remove())

for (const { version, path: binary } of valkeyBinaries())
  describe(`the hardened agent on valkey ${version}`, () => {
    let stack: Stack
    let server: StackServer
    let judge: Session
    let allowed: Command[]
    let all: Command[]
    /** Commands that were answered without an error, and sequences that changed keys of the agent's own. */
    let [done, changed] = [0, 0]

    before(async () => {
      // The other preset's agent beside it: the judge must find out what that one does.
      const loose = { ...stackPresets.default['mcp-agent'], env: 'LOOSE_PASS' }
      const choices = { preset: 'hardened', engine: engineOf(version), certificatesOf: made } as const
      stack = await makeStack({ ...choices, users: { watcher, loose } })
      server = await startStackServer({ binary, stack })
      judge = await server.login('watcher')
      const info = String(await judge.call(['INFO', 'server']))
      all = runnableCommands(/valkey_version:(\S+)/.exec(info)?.[1] ?? assert.fail())
      const permitted = permittedCommands(['-@all', ...stackPresets.hardened['mcp-agent'].commands])
      allowed = all.filter(({ name }) => permitted.has(name))
      assert.ok(allowed.length > 60 && allowed.includes(COMMANDS.get('set') ?? assert.fail()))
    })
    after(async () => {
      await server?.stop()
      stack?.remove()
    })

    const state = async () => ((await judge.call(['EVAL', STATE, '0'])) as Row[]).toSorted(byKey)

    /** Takes everything away and fills it again, the agent's own keys too. @returns what is there then */
    async function refill(): Promise<Row[]> {
      for (const [name] of await state()) await judge.call(['DEL', name])
      await Promise.all(seeded.map((command) => judge.call(command)))
      return state()
    }

    /** Sends commands in turn as a user; a connection that one of them ends or logs out is made anew. */
    async function send(user: string, commands: readonly (readonly string[])[]): Promise<void> {
      let session = await server.login(user)
      for (const command of commands) {
        const reply = await session.call(command).catch((error: unknown) => error)
        if (!(reply instanceof Error)) done += 1
        if (!['reset', 'quit'].includes(command[0] ?? '')) continue
        await session.close()
        session = await server.login(user)
      }
      await session.close()
    }

    const holds = (t: TestContext, user: string, commands: fc.Arbitrary<string[][]>, numRuns: number) => {
      const seed = Number(process.env['VALKEEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
      t.diagnostic(`seed ${seed}`)
      return fc.assert(
        fc.asyncProperty(commands, async (sequence) => {
          const before = await refill()
          await send(user, sequence)
          const after = await state()
          const others = (rows: Row[]) => rows.filter((row) => !isOwn(row))
          assert.deepEqual(others(after), others(before))
          if (!isDeepStrictEqual(after, before)) changed += 1
        }),
        { seed, numRuns, endOnFailure: user === 'loose' },
      )
    }

    test('no sequence of commands touches a key of anybody else', async (t) => {
      ;[done, changed] = [0, 0]
      const commands = fc.oneof({ weight: 4, arbitrary: commandOf(allowed) }, { weight: 1, arbitrary: commandOf(all) })
      const runs = propertyRuns(150)
      await holds(t, 'mcp-agent', fc.array(commands, { minLength: 10, maxLength: 60 }), runs)
      t.diagnostic(`${done} commands were answered, ${changed} of ${runs} sequences changed keys`)
      assert.ok(done > runs * 2 && changed > runs / 4, 'the sequences did something')
    })

    test('the same sequences by the default agent do: the judge sees it', async (t) => {
      const sequence = fc.array(commandOf(allowed), { minLength: 40, maxLength: 60 })
      await assert.rejects(
        holds(t, 'loose', sequence, 100),
        (error: Error) => error.cause instanceof assert.AssertionError,
      )
    })

    test('each of its commands works on its own keys, and none of those that write on another', async () => {
      await refill()
      await using agent = await server.login('mcp-agent')
      const writing = allowed.filter(({ categories }) => categories.includes('write'))
      assert.ok(writing.length > 25)
      for (const command of writing)
        for (const family of families.slice(1)) {
          const sent = sampleWords(command, `${family}:new`, 'news')
          await assert.rejects(agent.call(sent), /NOPERM No permissions to access a key/, sent.join(' '))
        }
      for (const command of allowed.filter(({ keys }) => keys.length > 0)) {
        const reply = await agent.call(sampleWords(command, 'molis:blocked:none', 'news')).catch((error) => error)
        assert.ok(!(reply instanceof Error) || !/NOPERM/.test(reply.message), command.name)
        await judge.call(['DEL', 'molis:blocked:none'])
      }
      for (const family of ['molis:approved', 'molis:config'])
        assert.deepEqual(await agent.call(['MGET', `${family}:string`, `${family}:lasting`]), ['1', '2'])
    })

    test('an agent that fills the memory pushes nobody else’s keys out of it', async () => {
      await using small = await startStackServer({ binary, stack, data: 'small', args: ['--maxmemory', '8mb'] })
      await using watching = await small.login('watcher')
      await using agent = await small.login('mcp-agent')
      for (const key of ['molis:approved:1', 'molis:config:1', 'foreign:1'])
        await watching.call(['SET', key, 'v', 'PXAT', String(far)])
      const fill = (i: number) => agent.call(['SET', `molis:blocked:${i}`, 'x'.repeat(200_000)])
      const full = async () => {
        for (let i = 0; i < 100; i++) await fill(i)
      }
      await assert.rejects(full, /^ValkeyReplyError: OOM /)
      assert.equal(await watching.call(['EXISTS', 'molis:approved:1', 'molis:config:1', 'foreign:1']), 3)
    })
  })
