/** What we write is what the engine keeps: SETUSER and aclfile, read back by ACL LIST and ACL SAVE, on every engine. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { AclUser } from '../../src/domain/acl/acl-user.ts'
import { canonicalCommands } from '../../src/domain/acl/canonical.ts'
import { parseAclFile, parseAclLine } from '../../src/domain/acl/parse.ts'
import { renderAclFile, setUserArgs } from '../../src/domain/acl/render.ts'
import { sameAclUser } from '../../src/domain/acl/same.ts'
import { engineAtLeast } from '../../src/domain/conf/engine-version.ts'
import { platformUsers, tenantAclUser } from '../../src/domain/acl/tenant-user.ts'
import { acceptedPrivileges, anyRule, propertyRuns, writableUser } from '../support/acl-arbitraries.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { type RawValkey, startRawValkey } from '../support/raw-valkey.ts'

const ADMIN_PASSWORD = 'round-trip-admin'
const SOME_SHA256 = '26a2f1e2f2a6d2dd0f7e4c7a30ac9ae4fba9ee7e0d9f5bb45f3d3f4f0ea2b9c1'

async function listed(server: RawValkey, name: string): Promise<string> {
  const lines = (await server.call('ACL', 'LIST')) as string[]
  const line = lines.find((text) => text.startsWith(`user ${name} `))
  assert.ok(line !== undefined, `${name} is not in ACL LIST`)
  return line
}

/** Single changes an operator (or an intruder) may make by hand, as SETUSER arguments. */
const CHANGES: [string, (user: AclUser, engineVersion: string) => boolean][] = [
  // 9.1 takes the word and keeps nothing of it
  ['skip-sanitize-payload', (_, engineVersion) => !engineAtLeast(engineVersion, '9.0')],
  ['nopass', () => true],
  ['on', (user) => !user.on],
  ['off', (user) => user.on],
  [`#${'5'.repeat(64)}`, () => true],
  ['resetpass', (user) => user.passwords.length > 0],
  ['allkeys', (user) => !user.keys.includes('~*')],
  ['~changed:*', (user) => !user.keys.some((key) => key === '~*' || key === '%RW~*')],
  ['resetkeys', (user) => user.keys.length > 0],
  ['allchannels', (user) => !user.channels.includes('&*')],
  ['resetchannels', (user) => user.channels.length > 0],
  ['(~other +get)', () => true],
  ['+@all', (user) => canonicalCommands(user.commands).join(' ') !== '+@all'],
  ['-@all', (user) => canonicalCommands(user.commands).join(' ') !== '-@all'],
]

for (const { version, path } of valkeyBinaries()) {
  describe(`ACL round trip on valkey ${version}`, () => {
    let server: RawValkey
    before(async () => {
      server = await startRawValkey({ binary: path })
    })
    after(() => server.stop())

    const applied = async (user: AclUser): Promise<AclUser> => {
      await server.call('ACL', 'SETUSER', ...setUserArgs(user))
      const parsed = parseAclLine(await listed(server, user.name))
      await server.call('ACL', 'DELUSER', user.name)
      return parsed
    }

    test('any user reads back as the same user, with the very command text the server keeps', async () => {
      await fc.assert(
        fc.asyncProperty(writableUser(server.version), async (user) => {
          const parsed = await applied(user)
          assert.ok(sameAclUser(user, parsed), `${JSON.stringify(parsed)}`)
          assert.deepEqual(canonicalCommands(user.commands), parsed.commands)
        }),
        { numRuns: propertyRuns(150) },
      )
    })

    test('two users are the same exactly when the server describes them alike', async () => {
      const few = fc.array(
        anyRule(server.version).map((rule) => rule.toLowerCase()),
        { maxLength: 3 },
      )
      const near = fc.tuple(writableUser(server.version), few, few)
      await fc.assert(
        fc.asyncProperty(near, async ([user, before, behind]) => {
          const other = { ...user, commands: [...before, ...user.commands, ...behind] }
          const [a, b] = [await applied(user), await applied(other)]
          assert.equal(sameAclUser(user, other), JSON.stringify(a.commands) === JSON.stringify(b.commands))
        }),
        { numRuns: propertyRuns(100) },
      )
    })

    test('any change made by hand is seen', async () => {
      const changed = fc.tuple(writableUser(server.version), fc.constantFrom(...CHANGES))
      await fc.assert(
        fc.asyncProperty(changed, async ([user, [change, matters]]) => {
          fc.pre(matters(user, server.version))
          await server.call('ACL', 'SETUSER', ...setUserArgs(user))
          await server.call('ACL', 'SETUSER', user.name, change)
          const parsed = parseAclLine(await listed(server, user.name))
          await server.call('ACL', 'DELUSER', user.name)
          assert.equal(sameAclUser(user, parsed), false, change)
        }),
        { numRuns: propertyRuns(100) },
      )
    })

    test('selectors and their order are read by meaning', async () => {
      await server.call('ACL', 'SETUSER', 'sel', 'reset', 'on', '(+get ~a)', '(-@all +set %R~b &c)')
      const parsed = parseAclLine(await listed(server, 'sel'))
      const typed = { ...parsed, selectors: ['(&c +set %R~b)', '(~a +get)'] }
      assert.equal(parsed.selectors.length, 2)
      assert.ok(sameAclUser(parsed, typed))
      assert.equal(sameAclUser(parsed, { ...parsed, selectors: ['(~a +get)', '(~b +set &c)'] }), false)
    })

    test('databases (9.1) are a difference and not an error', async () => {
      const user = parseAclLine('user dbs on resetchannels -@all +get')
      if (!engineAtLeast(server.version, '9.1')) {
        await assert.rejects(server.call('ACL', 'SETUSER', ...setUserArgs(user), 'db=0,3'), /Syntax error/)
        return
      }
      await server.call('ACL', 'SETUSER', ...setUserArgs(user), 'db=0,3')
      const limited = parseAclLine(await listed(server, 'dbs'))
      assert.deepEqual(limited.others, ['db=0,3'])
      assert.equal(sameAclUser(user, limited), false)
      await server.call('ACL', 'SETUSER', ...setUserArgs(user))
      assert.ok(sameAclUser(user, parseAclLine(await listed(server, 'dbs'))), 'reset brings all databases back')
    })

    test('an aclfile starts the server, survives ACL SAVE and a restart, and means the same', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'acl-'))
      const file = join(dir, 'users.acl')
      const tenants = fc
        .sample(fc.tuple(acceptedPrivileges(server.version), writableUser(server.version)), { numRuns: 30, seed: 30 })
        .map(([privileges, { keys, channels }], i) => ({
          ...tenantAclUser({
            username: `tenant-${i}`,
            passwordSha256s: ['b'.repeat(64)],
            privileges,
            keyPattern: keys[0] ?? '~*',
            channelPattern: channels[0] ?? null,
          }),
        }))
      const digests = {
        adminSha256: await sha256(ADMIN_PASSWORD),
        replicationSha256: SOME_SHA256,
        monitorSha256: SOME_SHA256,
      }
      const users = [...platformUsers(digests), ...tenants]
      const assertSame = (text: string, when: string): void => {
        const parsed = new Map(parseAclFile(text).map((user) => [user.name, user]))
        assert.equal(parsed.size, users.length, when)
        for (const user of users) {
          const found = parsed.get(user.name)
          assert.ok(found !== undefined && sameAclUser(user, found), `${user.name} ${when}`)
        }
      }
      const start = (): Promise<RawValkey> =>
        startRawValkey({
          binary: path,
          dir,
          args: ['--aclfile', file],
          auth: { username: 'valkeep-admin', password: ADMIN_PASSWORD },
        })
      try {
        await writeFile(file, renderAclFile(users))
        for (const when of ['first', 'again']) {
          const own = await start()
          try {
            assert.equal(await own.call('ACL', 'SAVE'), 'OK')
            assertSame(((await own.call('ACL', 'LIST')) as string[]).join('\n'), `listed ${when}`)
            assertSame(await readFile(file, 'utf8'), `saved ${when}`)
            await assert.rejects(own.login('default', 'anything'), /WRONGPASS/)
          } finally {
            await own.stop()
          }
        }
      } finally {
        await rm(dir, { recursive: true, force: true })
      }
    })
  })
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Buffer.from(digest).toString('hex')
}
