/**
 * Writes ACL users for the server: an aclfile, and the arguments of ACL SETUSER. Neither has any quoting, so every word
 * is checked here against the shape it must have; nothing that reached this far unchecked gets through.
 */
import type { AclUser } from './acl-user.ts'
import { USERNAME_PATTERN } from './tenant-user.ts'

/** A comma-less word with one of the known sigils; a lone `%` would crash the server at ACL SAVE (facts §2). */
const WORD = {
  name: USERNAME_PATTERN,
  password: /^[0-9a-f]{64}$/,
  command: /^[+-]@?[a-z0-9][a-z0-9_|-]*$/,
  key: /^(~|%R~|%W~|%RW~)[\x21-\x7e]+$/,
  channel: /^&[\x21-\x7e]+$/,
}

/** An ACL user that the platform must never write. Its message names the user and the part, never the value. */
export class UnsafeAclUser extends Error {
  override name = 'UnsafeAclUser'
}

function assertSafe(user: AclUser): void {
  const fail = (what: string): never => {
    const name = WORD.name.test(user.name) ? user.name : '(unsafe name)'
    throw new UnsafeAclUser(`ACL user ${name}: ${what}`)
  }
  if (!WORD.name.test(user.name)) fail('its name is not safe')
  if (user.nopass) fail('a user without password is never written')
  if (user.selectors.length > 0 || (user.others?.length ?? 0) > 0) fail('selectors and other flags are never written')
  if (!user.passwords.every((word) => WORD.password.test(word))) fail('a password is no SHA-256 digest')
  if (!user.commands.every((word) => WORD.command.test(word))) fail('a command rule is not safe')
  if (!user.keys.every((word) => WORD.key.test(word))) fail('a key pattern is not safe')
  if (!user.channels.every((word) => WORD.channel.test(word))) fail('a channel pattern is not safe')
}

/** State, passwords, keys, channels, commands, in the order ACL LIST has them. */
function words(user: AclUser): string[] {
  assertSafe(user)
  return [
    user.on ? 'on' : 'off',
    ...user.passwords.map((digest) => `#${digest}`),
    ...user.keys,
    'resetchannels',
    ...user.channels,
    ...user.commands,
  ]
}

/**
 * The whole aclfile, one `user …` line each, without comments (a comment aborts the server's start).
 * @throws UnsafeAclUser on a word that is not what it must be, a user named twice, or a missing line for `default`
 *   (without it the server would be open, facts §2)
 */
export function renderAclFile(users: readonly AclUser[]): string {
  const names = new Set(users.map(({ name }) => name))
  if (names.size !== users.length) throw new UnsafeAclUser('a user is named twice')
  if (!names.has('default')) throw new UnsafeAclUser('the user default is missing: the server would be open')
  return users.map((user) => `user ${[user.name, ...words(user)].join(' ')}\n`).join('')
}

/**
 * The arguments after `ACL SETUSER`: `reset` first, so that one atomic command makes the user exactly this.
 * @throws UnsafeAclUser as renderAclFile
 */
export function setUserArgs(user: AclUser): string[] {
  return [user.name, 'reset', ...words(user)]
}
