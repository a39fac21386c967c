/**
 * The tenant ceiling: what a tenant's user may never do, whatever its rules say. What would let a tenant out of its
 * data is refused, and that same set is subtracted after every rule list and the safe part granted back (INFO among
 * it), so that no category smuggles it in (`+@write` carries FLUSHALL, `+@slow` CONFIG SET, `+@connection` CLIENT KILL).
 *
 * Forbidden is @admin and @dangerous but for SAFE_DANGEROUS, and the commands below, which valkey puts in neither.
 * The ceiling does not look at the key pattern: FLUSHALL, FLUSHDB, SWAPDB and KEYS ignore it, a pattern can be narrowed
 * after the rules were accepted, and one instance may serve users who must not reach each other's keys. UNLINK and SCAN
 * do the same work within it, or without harm.
 * WAIT and WAITAOF hold up nobody but their caller: allowed. SCAN, RANDOMKEY and PUBSUB CHANNELS show names outside
 * a pattern, never values, and every client library's iteration stands on SCAN: allowed, and explain.ts says so.
 */
import { COMMANDS, type Command } from './command-table.ts'
import { permittedCommands } from './evaluate.ts'

/** What is @dangerous and yet stays within a tenant's keys: SORT checks its key, and BY/GET need all keys readable. */
const SAFE_DANGEROUS = ['info', 'sort', 'sort_ro']

/** Containers of which only these subcommands are a tenant's; an engine's later subcommands are thereby out too. */
const CONTAINERS: Readonly<Record<string, string[]>> = {
  acl: ['whoami'],
  client: [
    'caching',
    'capa',
    'getname',
    'getredir',
    'help',
    'id',
    'info',
    'no-touch',
    'reply',
    'setinfo',
    'setname',
    'tracking',
    'trackinginfo',
  ],
  cluster: ['countkeysinslot', 'help', 'info', 'keyslot', 'myid', 'myshardid', 'nodes', 'shards', 'slots'],
  function: [],
}

/** Single commands that touch the whole server or other users' work. */
const SINGLE = ['memory|purge', 'script|debug', 'script|flush', 'script|kill']

const SAFE: readonly string[] = [
  ...SAFE_DANGEROUS,
  ...Object.entries(CONTAINERS).flatMap(([container, subs]) => subs.map((sub) => `${container}|${sub}`)),
]

/**
 * What every client library does on connecting; every tenant user gets it, whatever its rules: a user that cannot
 * finish its library's handshake is no user (both GLIDE clients fail without INFO, others without CLIENT SETINFO).
 * It reaches no key and no other user.
 */
export const CONNECT_COMMANDS: readonly string[] = [
  'hello',
  'auth',
  'ping',
  'quit',
  'reset',
  'select',
  'info',
  'command',
  'client|setname',
  'client|setinfo',
  'client|id',
]

/** Subtracted after every tenant's rules. Names only what valkey 8.0 has: an unknown command fails the whole SETUSER. */
export const CEILING_RULES: readonly string[] = [
  '-@admin',
  '-@dangerous',
  ...Object.keys(CONTAINERS).map((container) => `-${container}`),
  ...SINGLE.map((name) => `-${name}`),
]

function isForbiddenCommand({ name, container, categories }: Command): boolean {
  if (SAFE.includes(name)) return false
  if (container !== undefined && Object.hasOwn(CONTAINERS, container)) return true
  if (Object.hasOwn(CONTAINERS, name) || SINGLE.includes(name)) return true
  return categories.includes('admin') || categories.includes('dangerous')
}

/** Full names of every command that no tenant's user may ever run. A container is in it when asked for as a whole. */
export const FORBIDDEN: ReadonlySet<string> = new Set(
  [...COMMANDS.values()].filter(isForbiddenCommand).map(({ name }) => name),
)

const REASONS: readonly [RegExp, string][] = [
  [/^(flushall|flushdb|swapdb)$/, 'it acts on every key, whatever the key pattern; use UNLINK on your keys'],
  [/^keys$/, 'it ignores the key pattern and blocks the server; use SCAN'],
  [/^(migrate|restore|restore-asking)$/, 'it moves raw data in or out of the instance'],
  [/^(replicaof|slaveof|psync|sync|replconf|failover|role|cluster)/, 'replication and topology are the platform’s'],
  [/^(acl|config|shutdown|module|debug|save|bgsave|bgrewriteaof)/, 'the server’s control is the platform’s'],
  [/^(function|script)/, 'it changes or stops code that other users of the instance run'],
  [/^client/, 'it reaches other clients’ connections'],
  [/^(monitor|slowlog|commandlog|latency)/, 'it shows what other users of the instance do'],
]

/** Why a forbidden command is forbidden, as the end of a sentence. */
export function forbiddenReason(name: string): string {
  return REASONS.find(([pattern]) => pattern.test(name))?.[1] ?? 'it acts on the whole server, not on your keys'
}

/** Whether the last rule that names a command literally (or its container) takes it away; categories do not count. */
function isTakenByName(rules: readonly string[], name: string): boolean {
  const container = COMMANDS.get(name)?.container
  const last = rules.findLast((rule) => rule.slice(1) === name || rule.slice(1) === container)
  return last?.startsWith('-') ?? false
}

/**
 * A tenant's rules with the ceiling over them: nothing, the rules, what is subtracted, what is granted back.
 * Granted back is what the rules themselves gave (a read-only user does not come by SORT), and the connect set,
 * of which a user loses only what its rules take away by name (`-info`).
 * @param rules accepted rules, lower case, presets already expanded
 */
export function underCeiling(rules: readonly string[]): string[] {
  const given = permittedCommands(rules)
  const grants = new Set(SAFE.filter((name) => given.has(name)))
  for (const name of CONNECT_COMMANDS) {
    if (!isTakenByName(rules, name)) grants.add(name)
  }
  return ['-@all', ...rules, ...CEILING_RULES, ...[...grants].map((name) => `+${name}`)]
}
