/** ACL users as the platform writes them, and what they may be called: a tenant's under the ceiling, the platform's own. */
import { z } from 'zod'
import type { AclUser } from './acl-user.ts'
import { underCeiling } from './ceiling.ts'
import { expandPrivileges, parsePrivileges } from './rules.ts'

/** The platform's own users on every server. */
export const PLATFORM_USERS = {
  /** All permissions, over the unix socket or TLS; the generated instance password is its own. */
  admin: 'valkeep-admin',
  /** What a replica logs in as. */
  replication: 'valkeep-replication',
  /** Reads figures, never data. */
  monitor: 'valkeep-monitor',
} as const

/** Every name that begins so is the platform's, those of today and of later versions. */
export const RESERVED_USERNAME_PREFIX = 'valkeep-'

/** Shape of every ACL user's name, the platform's included. */
export const USERNAME_PATTERN = /^[a-z][a-z0-9_-]{0,62}$/

/** Whether a tenant may not have this name: the server's `default` and the platform's own. */
export function isReservedUsername(name: string): boolean {
  return name === 'default' || name.startsWith(RESERVED_USERNAME_PREFIX)
}

/** A tenant's username. */
export const usernameSchema = z
  .string()
  .regex(USERNAME_PATTERN, 'a username is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter')
  .refine((name) => !isReservedUsername(name), {
    error: `default and names that begin with ${RESERVED_USERNAME_PREFIX} are the platform’s`,
  })

/**
 * A tenant's user: nothing, its rules, the ceiling, the safe part back (ceiling.ts).
 * @param input.passwordSha256s one, or several during a rotation; none means that nobody can log in
 * @param input.privileges as parsePrivileges gave them: rules, or one preset's name
 * @param input.keyPattern as parseKeyPattern gave it
 * @param input.channelPattern as parseChannelPattern gave it; null = no channels
 * @throws Error on privileges that parsePrivileges refuses: they must never get this far
 */
export function tenantAclUser(input: {
  username: string
  passwordSha256s: readonly string[]
  privileges: readonly string[]
  keyPattern: string
  channelPattern: string | null
}): AclUser {
  const parsed = parsePrivileges(input.privileges)
  if (!parsed.ok) throw new Error(`unchecked privileges for user ${input.username}: ${parsed.errors[0]?.reason}`)
  return {
    name: input.username,
    on: true,
    nopass: false,
    passwords: [...input.passwordSha256s],
    commands: underCeiling(expandPrivileges(parsed.rules)),
    keys: [input.keyPattern],
    channels: input.channelPattern === null ? [] : [input.channelPattern],
    selectors: [],
  }
}

function platformUser(name: string, sha256: string, commands: string[]): AclUser {
  return { name, on: true, nopass: false, passwords: [sha256], commands, keys: [], channels: [], selectors: [] }
}

/**
 * The monitor reads figures and no tenant's data: no CONFIG GET (it shows primaryauth), no SLOWLOG GET (it shows
 * arguments). Only commands that valkey 8.0 has.
 */
const MONITOR_RULES = [
  '-@all',
  '+hello',
  '+auth',
  '+ping',
  '+quit',
  '+reset',
  '+client|setname',
  '+client|setinfo',
  '+client|id',
  '+info',
  '+dbsize',
  '+role',
  '+lastsave',
  '+latency|latest',
  '+latency|histogram',
  '+latency|history',
  '+slowlog|len',
  '+memory|stats',
  '+cluster|info',
]

/** `default`, off and without any right: an aclfile without its line leaves the server open (facts §2). */
export function defaultOffUser(): AclUser {
  return {
    name: 'default',
    on: false,
    nopass: false,
    passwords: [],
    commands: ['-@all'],
    keys: [],
    channels: [],
    selectors: [],
  }
}

/**
 * The users that every server has beside its tenant's: `default` (off), admin, replication, monitor.
 * @param input SHA-256 digests of their passwords, 64 lower-case hex digits
 */
export function platformUsers(input: {
  adminSha256: string
  replicationSha256: string
  monitorSha256: string
}): AclUser[] {
  return [
    defaultOffUser(),
    { ...platformUser(PLATFORM_USERS.admin, input.adminSha256, ['+@all']), keys: ['~*'], channels: ['&*'] },
    platformUser(PLATFORM_USERS.replication, input.replicationSha256, [
      '-@all',
      '+psync',
      '+replconf',
      '+ping',
      '+sync',
    ]),
    platformUser(PLATFORM_USERS.monitor, input.monitorSha256, MONITOR_RULES),
  ]
}
