/** Whether a password stands in a file that everybody may read, and that git sees. */
import { fail, type Finding, ok } from '../../finding.ts'
import { readAclText } from './acl-text.ts'
import type { StackSpec } from '../spec.ts'
import type { AclFacts } from './acl.ts'
import type { Names } from './facts.ts'

/** A file by the digests of its words, so that no word has to be carried about. @property line counts from 1 */
export type OpenText = { path: string; words: readonly { sha256: string; line: number }[] }

const CHECK = 'passwords'

export function judgeLeaks(
  spec: StackSpec,
  { text, passwords }: AclFacts,
  open: readonly OpenText[],
  { shown, command }: Names,
): Finding[] {
  const users = new Map<string, string>()
  for (const [name, files] of passwords) for (const { sha256 } of files) if (sha256 !== null) users.set(sha256, name)
  const read = text === undefined ? { users: [] } : readAclText(text)
  const inAcl = 'users' in read ? read.users.filter(({ name }) => Object.hasOwn(spec.users, name)) : []
  for (const user of inAcl) for (const sha256 of user.passwords) users.set(sha256, user.name)
  const findings = open.flatMap(({ path, words }) =>
    words.flatMap(({ sha256, line }) => {
      const user = users.get(sha256)
      return user === undefined ? [] : [{ path, line, user }]
    }),
  )
  if (findings.length === 0) return [ok(CHECK, 'in no file that others may read')]
  return findings.map(({ path, line, user }) =>
    fail(
      CHECK,
      `line ${line} of ${shown(path)} holds the password of ${user}`,
      `Take it out, then make a new one: ${command(`secrets --rotate ${user} --apply`)}`,
    ),
  )
}
