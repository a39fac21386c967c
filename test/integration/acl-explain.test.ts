/** The questions that `/effective` asks can all be answered, and their answers fold into the truth, on every engine. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { AclUser } from '../../src/domain/acl/acl-user.ts'
import { FORBIDDEN } from '../../src/domain/acl/ceiling.ts'
import { type Explanation, explainUser, probesFor } from '../../src/domain/acl/explain.ts'
import { globMatches, sampleInside, sampleOutside } from '../../src/domain/acl/glob.ts'
import { runnableCommands, touchesChannels, touchesKeys } from '../../src/domain/acl/probe.ts'
import { setUserArgs } from '../../src/domain/acl/render.ts'
import { tenantAclUser } from '../../src/domain/acl/tenant-user.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { type RawValkey, startRawValkey } from '../support/raw-valkey.ts'

const tenant = (privileges: string[], keyPattern: string, channelPattern: string | null): AclUser =>
  tenantAclUser({ username: 'app', passwordSha256s: ['a'.repeat(64)], privileges, keyPattern, channelPattern })

const glob = fc.string({ minLength: 1, maxLength: 10, unit: fc.constantFrom(...'ab:*?[]^-\\') })
const text = fc.string({ maxLength: 8, unit: fc.constantFrom(...'ab:*?[]^-\\') })

for (const { version, path } of valkeyBinaries()) {
  describe(`explaining users on valkey ${version}`, () => {
    let server: RawValkey
    before(async () => {
      server = await startRawValkey({ binary: path })
    })
    after(() => server.stop())

    const ask = async (user: AclUser) => {
      await server.call('ACL', 'SETUSER', ...setUserArgs(user))
      const probes = probesFor(user, server.version)
      const replies = await server.callAll(probes.map(({ words }) => ['ACL', 'DRYRUN', user.name, ...words]))
      return probes.map((probe, i) => ({ probe, reply: String(replies[i]) }))
    }
    const explain = async (user: AclUser): Promise<Explanation> => explainUser(user, await ask(user))

    test('every command is decided, inside the patterns by the rules, outside never permitted', async () => {
      const verdicts = await ask({ ...tenant(['+@all'], '~app:*', '&news:*'), commands: ['+@all'] })
      const inside = verdicts.filter(({ probe }) => probe.where === 'inside')
      assert.equal(inside.length, runnableCommands(server.version).length)
      assert.deepEqual(
        inside.filter(({ reply }) => reply !== 'OK'),
        [],
      )
      const outside = verdicts.filter(({ probe }) => probe.where === 'outside')
      const bound = runnableCommands(server.version).filter(
        (command) => touchesKeys(command) || touchesChannels(command),
      )
      assert.equal(outside.length, bound.length)
      assert.ok(outside.length > 150)
      assert.deepEqual(
        outside.filter(({ reply }) => !/the '.*' (key|channel)$/.test(reply)),
        [],
      )
    })

    test('a full user on its own keys', async () => {
      const full = await explain(tenant(['full'], '~app:*', null))
      assert.equal(full.connect, true)
      assert.deepEqual([full.keys, full.channels], [['~app:*'], []])
      assert.ok(['GET', 'SET', 'CLIENT SETNAME', 'INFO', 'EVAL', 'SORT'].every((name) => full.allowed.includes(name)))
      const reasons = new Map(full.denied.map(({ command, reason }) => [command, reason]))
      for (const name of FORBIDDEN) {
        const typed = name.toUpperCase().replace('|', ' ')
        assert.ok(!full.allowed.includes(typed), typed)
        if (reasons.has(typed)) assert.match(reasons.get(typed) ?? '', /^never a tenant’s: /)
      }
      assert.match(reasons.get('PUBLISH') ?? '', /channel pattern/)
      assert.ok(full.notes.some((note) => note.includes('SCAN')))
      assert.ok(!full.notes.some((note) => note.startsWith('Permitted outside')))
    })

    test('a read-only user, and one that is off', async () => {
      const user = tenant(['read-only'], '~*', null)
      const readOnly = await explain(user)
      assert.equal(readOnly.connect, true)
      assert.deepEqual(readOnly.families.find(({ family }) => family === 'write')?.allowed, 0)
      const reasons = new Map(readOnly.denied.map(({ command, reason }) => [command, reason]))
      assert.equal(reasons.get('SET'), 'the user’s privileges do not include it')
      assert.match(reasons.get('KEYS') ?? '', /use SCAN/)
      const off = await explain({ ...user, on: false })
      assert.equal(off.connect, false)
      assert.match(off.notes[0] ?? '', /switched off/)
    })

    test('no INFO, no handshake: what a rule takes away by name stays away', async () => {
      const user = await explain(tenant(['+@read', '-info'], '~*', null))
      assert.equal(user.connect, false)
      assert.ok(user.denied.some(({ command }) => command === 'INFO'))
    })

    test('our glob decides as the server does', async () => {
      await fc.assert(
        fc.asyncProperty(glob, text, async (pattern, key) => {
          fc.pre(pattern !== '*')
          await server.call('ACL', 'SETUSER', 'glob', 'reset', '+get', `~${pattern}`)
          const candidates = [key, sampleInside(pattern), sampleOutside([pattern])].filter((one) => one !== undefined)
          for (const candidate of candidates) {
            const reply = await server.call('ACL', 'DRYRUN', 'glob', 'get', candidate)
            assert.equal(globMatches(pattern, candidate), reply === 'OK', `${pattern} ${candidate}`)
          }
          const inside = sampleInside(pattern)
          assert.ok(inside === undefined || globMatches(pattern, inside), `${pattern} ${inside}`)
        }),
        { numRuns: propertyRuns(300) },
      )
    })
  })
}
