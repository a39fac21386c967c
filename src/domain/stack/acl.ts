/** The ACL of a stack: its users as declared, with the digests of their passwords. */
import type { AclUser } from '../acl/acl-user.ts'
import { defaultOffUser } from '../acl/tenant-user.ts'
import { ruleFitsEngine, type StackSpec, type StackUser } from './spec.ts'

/**
 * One user as the ACL file has it. Starts from nothing: `-@all` first, since a rule before it would be forgotten (facts §2).
 * @param sha256s digests of its valid passwords, 64 lower-case hex digits
 */
export function stackAclUser(spec: StackSpec, name: string, user: StackUser, sha256s: readonly string[]): AclUser {
  const ofStack = (pattern: string) => pattern.replaceAll('{prefix}', spec.prefix)
  return {
    name,
    on: true,
    nopass: false,
    passwords: [...sha256s],
    commands: ['-@all', ...user.commands.filter((rule) => ruleFitsEngine(rule, spec.engine))],
    keys: user.keys.map(ofStack),
    channels: (user.channels ?? []).map(ofStack),
    selectors: [],
  }
}

/**
 * Every user of a stack in its order, `default` (off) first.
 * @param sha256sOf digests by user
 */
export function stackAcl(spec: StackSpec, sha256sOf: (name: string) => readonly string[]): AclUser[] {
  const users = Object.entries(spec.users).map(([name, user]) => stackAclUser(spec, name, user, sha256sOf(name)))
  return [defaultOffUser(), ...users]
}
