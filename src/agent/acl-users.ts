/** The users of a running server. */
import type { AclUser } from '../domain/acl/acl-user.ts'
import { AclTextError, parseAclLine } from '../domain/acl/parse.ts'

/** Reads ACL LIST. A line of no known form is a user that differs from whatever is desired of it. */
export function readUsers(lines: readonly string[]): AclUser[] {
  return lines.map((line) => {
    try {
      return parseAclLine(line)
    } catch (error) {
      if (!(error instanceof AclTextError)) throw error
      return unreadable(line.split(' ')[1] ?? '')
    }
  })
}

const unreadable = (name: string): AclUser => ({
  name,
  on: true,
  nopass: true,
  passwords: [],
  commands: [],
  keys: [],
  channels: [],
  selectors: [],
  others: ['unreadable'],
})

/** Switching a user off or taking a password away leaves its connections open (facts §2): they have to be ended. */
export function mustEndSessions(before: AclUser | undefined, after: AclUser): boolean {
  if (!before) return false
  const gone = before.passwords.some((digest) => !after.passwords.includes(digest))
  return gone || (before.nopass && !after.nopass) || (before.on && !after.on)
}
