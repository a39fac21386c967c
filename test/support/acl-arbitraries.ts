/** Generated ACL users for the property tests, and how many of them a run makes. */
import fc from 'fast-check'
import type { AclUser } from '../../src/domain/acl/acl-user.ts'
import { CATEGORIES, COMMANDS, engineHas } from '../../src/domain/acl/command-table.ts'
import { parsePrivileges } from '../../src/domain/acl/rules.ts'

/** A sample by default, at least 1,000 in the full run (VALKEEP_TEST_FULL=1). */
export const propertyRuns = (sample: number): number => (process.env.VALKEEP_TEST_FULL === '1' ? 1_000 : sample)

/** Any rule that an engine's ACL SETUSER takes, forbidden ones too, in any case. */
export function anyRule(engineVersion: string): fc.Arbitrary<string> {
  const names = [...COMMANDS.values()].filter((command) => engineHas(command, engineVersion)).map(({ name }) => name)
  const subject = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 2, arbitrary: fc.constantFrom(...CATEGORIES, 'all').map((category) => `@${category}`) },
  )
  return fc
    .tuple(fc.constantFrom('+', '+', '-'), subject, fc.boolean())
    .map(([sign, text, shout]) => `${sign}${shout ? text.toUpperCase() : text}`)
}

/** Accepted privileges, normalised: what is refused is dropped entry by entry, as a persistent attacker would. */
export function acceptedPrivileges(engineVersion: string): fc.Arbitrary<string[]> {
  return fc.array(anyRule(engineVersion), { minLength: 1, maxLength: 12 }).map((rules) => {
    const accepted = rules.flatMap((rule) => {
      const parsed = parsePrivileges([rule], engineVersion)
      return parsed.ok ? parsed.rules : []
    })
    return accepted.length > 0 ? accepted : ['+@all']
  })
}

const hex64 = fc.string({ minLength: 64, maxLength: 64, unit: fc.constantFrom(...'0123456789abcdef') })
const glob = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom(...'ab:*?[]^-\\()"\'#%$&~{}|;,') })

/** A user that setUserArgs may write; its keys and channels are sets without `*` beside others, as the server demands. */
export function writableUser(engineVersion: string): fc.Arbitrary<AclUser> {
  const keyed = fc
    .array(fc.tuple(fc.constantFrom('~', '%R~', '%W~', '%RW~'), glob), { maxLength: 4 })
    .map((pairs) => pairs.filter(([, text]) => text !== '*').map((pair) => pair.join('')))
  const channeled = fc
    .array(glob, { maxLength: 3 })
    .map((globs) => globs.filter((text) => text !== '*').map((text) => `&${text}`))
  return fc.record<AclUser>({
    name: fc.stringMatching(/^[a-z][a-z0-9_-]{0,20}$/).filter((name) => name !== 'default'),
    on: fc.boolean(),
    nopass: fc.constant(false),
    passwords: fc.array(hex64, { maxLength: 3 }),
    commands: fc.array(
      anyRule(engineVersion).map((rule) => rule.toLowerCase()),
      { maxLength: 12 },
    ),
    keys: fc.oneof(fc.constant<string[]>(['~*']), keyed),
    channels: fc.oneof(fc.constant<string[]>(['&*']), channeled),
    selectors: fc.constant([]),
  })
}
