/** `stack.yaml`: what a stack is, declared. Everything that the commands write follows from it. */
import { z } from 'zod'
import { CATEGORIES, COMMANDS, engineHas } from '../acl/command-table.ts'
import { MAX_PATTERN_LENGTH } from '../acl/keys.ts'
import { USERNAME_PATTERN } from '../acl/tenant-user.ts'
import { evictionPolicies } from '../conf/settings.ts'
import { nearestName } from '../nearest-name.ts'
import { secretFiles } from './places.ts'

/** One user: its keys, what it may do with them, and where its password goes. */
export type StackUser = z.infer<typeof stackUserSchema>
export type StackSpec = z.infer<typeof stackSpecSchema>

const word = (pattern: RegExp, what: string) => z.string().regex(pattern, `must be ${what}`)
/** A name that Docker takes for containers, volumes and networks. */
const dockerName = word(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'a name of letters, digits, _ . and -')
const fileName = word(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,100}$/, 'a file name of letters, digits, . _ and -')
/** What a shell, a compose file and a person can all be given without quoting; no `:`, which ends a mount's source. */
const path = word(/^[a-zA-Z0-9_./@+-]{1,200}$/, 'a path of letters, digits and _ . / @ + -')
const userIds = word(/^[0-9]{1,10}:[0-9]{1,10}$/, 'numbers UID:GID')
const prefix = word(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$/, 'letters, digits, _ and -')
/** `/CN=valkey/O=OdraLabs`. */
const subject = word(
  /^(\/((CN|O|OU|L|ST)=[A-Za-z0-9 ._@-]{1,64}|C=[A-Z]{2}))+$/,
  'a subject such as /CN=valkey/O=OdraLabs: CN, O, OU, L, ST, in letters, digits, space and . _ @ -, and C of two capitals',
)

/** Digits and dots alone are a slip of an address. */
const dnsName = word(
  /^(?=.{1,253}$)(?!\d+(\.\d+)*$)(\*\.)?[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*$/,
  'a DNS name',
)

const KEY = /^(~|%R~|%W~|%RW~)[\x21-\x7e]+$/
const CHANNEL = /^&[\x21-\x7e]+$/

const stackUserSchema = z.strictObject({
  keys: z
    .array(z.string().max(MAX_PATTERN_LENGTH).regex(KEY, 'must be a pattern such as ~{prefix}:jobs:* or %R~{prefix}:*'))
    .max(64),
  channels: z
    .array(z.string().max(MAX_PATTERN_LENGTH).regex(CHANNEL, 'must be a pattern such as &{prefix}:news'))
    .max(64)
    .optional(),
  commands: z
    .array(
      z
        .string()
        .regex(
          /^[+-]@?[a-z0-9][a-z0-9_|-]{0,62}$/,
          'must be a rule in lower case such as +get, -@dangerous or +client|setname',
        ),
    )
    .min(1)
    .max(400),
  env: word(/^[A-Z][A-Z0-9_]{0,62}$/, 'the name of an environment variable in capitals'),
  password_file: fileName.optional(),
  /** Whom the password file belongs to, where its consumer is not root. */
  owner: userIds.optional(),
})

const certificates = z.strictObject({
  days: z.int().min(1).max(3650),
  ca: subject,
  server: subject,
  client: subject,
  names: z.array(dnsName).min(1),
  addresses: z.array(z.union([z.ipv4(), z.ipv6()])),
})

const server = z.strictObject({
  maxmemory_mb: z.int().min(4).max(1_048_576),
  maxmemory_policy: z.enum(evictionPolicies),
  maxclients: z.int().min(10).max(100_000),
  timeout_s: z.int().min(0).max(31_536_000),
  tcp_keepalive_s: z.int().min(0).max(32_767),
  io_threads: z.union([z.literal('auto'), z.int().min(1).max(16)]),
  aof_file: fileName,
  rdb_file: fileName,
})

const service = z.strictObject({
  name: word(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a host name of a-z, 0-9 and -'),
  image: word(/^[a-z0-9][a-z0-9._/:@-]{0,254}$/, 'an image such as valkey/valkey:8-alpine'),
  container_name: dockerName,
  label: dockerName,
  network: dockerName,
  network_external: z.boolean(),
  volume: dockerName,
  user: userIds,
  cpus: z.number().min(0.1).max(512),
  memory_mb: z.int().min(16).max(1_048_576),
  memory_reservation_mb: z.int().min(6).max(1_048_576),
})

/** Git and a person look for what must stay secret in the stack's own directory. */
const inside = path.refine((text) => !/^\/|(^|\/)\.\.(\/|$)/.test(text), 'must lie inside of the stack’s directory')

const files = z.strictObject({
  compose: path,
  /** The compose file is somebody else's too: the stack is added to it, and nothing else of it changes. */
  compose_shared: z.boolean(),
  secrets: inside,
  config: path,
  certs: inside,
  scripts: path,
})

export const stackSpecSchema = z
  .strictObject({
    version: z.literal(1),
    prefix,
    engine: word(/^(8|9|[1-9][0-9])\.[0-9]{1,2}$/, 'an engine version of 8.0 or newer such as 8.0'),
    users: z.record(z.string().regex(USERNAME_PATTERN, 'must be a name of a-z, 0-9, _ and -'), stackUserSchema),
    health_user: z.string(),
    certificates,
    server,
    service,
    files,
  })
  .superRefine((spec, context) => {
    for (const { path: at, message } of inconsistencies(spec)) context.addIssue({ code: 'custom', path: at, message })
  })

type Inconsistency = { path: (string | number)[]; message: string }

/** What no field says alone. */
function inconsistencies(spec: StackSpec): Inconsistency[] {
  const found: Inconsistency[] = []
  const say = (path: (string | number)[], message: string) => found.push({ path, message })
  for (const [name, user] of Object.entries(spec.users)) {
    if (name === 'default') say(['users', name], 'default is always off and not declared')
    for (const [i, rule] of user.commands.entries()) {
      const message = ruleError(rule)
      if (message !== undefined) say(['users', name, 'commands', i], message)
    }
    if (Object.values(secretFiles).some((taken) => taken === user.password_file))
      say(['users', name, 'password_file'], `${user.password_file} is another file's name`)
  }
  const users = Object.entries(spec.users)
  for (const field of ['env', 'password_file'] as const) {
    const taken = new Set<string>()
    for (const [name, user] of users) {
      const value = user[field]
      if (value !== undefined && taken.has(value)) say(['users', name, field], `${value} is another user's already`)
      if (value !== undefined) taken.add(value)
    }
  }
  for (const [name, user] of users)
    if (user.owner !== undefined && (user.password_file === undefined || name === spec.health_user))
      say(['users', name, 'owner'], 'is for a user with a password_file of its own, and not for the health user')
  const health = Object.hasOwn(spec.users, spec.health_user) ? spec.users[spec.health_user] : undefined
  if (health === undefined) say(['health_user'], `there is no user ${spec.health_user}`)
  else if (health.password_file === undefined)
    say(['users', spec.health_user, 'password_file'], 'the health check reads its password from a file: name it')
  if (spec.server.maxmemory_mb >= spec.service.memory_mb)
    say(['server', 'maxmemory_mb'], 'must be below service.memory_mb, or the kernel ends the server before it evicts')
  if (spec.service.memory_reservation_mb > spec.service.memory_mb)
    say(['service', 'memory_reservation_mb'], 'must not be above memory_mb')
  if (!spec.certificates.names.includes(spec.service.name))
    say(['certificates', 'names'], `must hold ${spec.service.name}, the name that clients connect to`)
  return found
}

/** Why a command rule is none, as the end of a sentence; undefined where it is one, on whatever engine. */
function ruleError(rule: string): string | undefined {
  const subject = rule.slice(1)
  if (subject.startsWith('@')) {
    const category = subject.slice(1)
    if (category === 'all' || CATEGORIES.includes(category)) return undefined
    return `there is no category @${category}${meant(nearestName(category, CATEGORIES), '@')}`
  }
  if (COMMANDS.has(subject)) return undefined
  return `there is no command ${subject}${meant(nearestName(subject, [...COMMANDS.keys()]), '')}`
}

const meant = (name: string | undefined, sigil: string) => (name === undefined ? '' : `; did you mean ${sigil}${name}?`)

/** Whether a rule may stand in a file for this engine: a command that it lacks would keep it from starting. */
export function ruleFitsEngine(rule: string, engine: string): boolean {
  const command = COMMANDS.get(rule.slice(1))
  return command === undefined || engineHas(command, engine)
}
