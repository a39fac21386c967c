/**
 * What a user can do, proven by the server: which questions to ask (`ACL DRYRUN`, asked by the agent), and how the
 * answers fold into the explanation that the API shows. Sample arguments: probe.ts.
 */
import type { AclUser } from './acl-user.ts'
import { canonicalChannels, canonicalKeys } from './canonical.ts'
import { CONNECT_COMMANDS, FORBIDDEN, forbiddenReason } from './ceiling.ts'
import { COMMANDS } from './command-table.ts'
import { sampleInside, sampleOutside } from './glob.ts'
import { runnableCommands, sampleWords, touchesChannels, touchesKeys } from './probe.ts'

/** One question. */
export type Probe = {
  /** Full lower-case name, `client|setname`. */
  command: string
  /** What follows `ACL DRYRUN username`. */
  words: string[]
  /** Whether its sample key or channel lies in the user's patterns. A command that takes neither is asked `inside`. */
  where: 'inside' | 'outside'
}

/** @property reply `OK`, the refusal's text, or an error's text */
export type Verdict = { probe: Probe; reply: string }

export type Explanation = {
  /** Whether a client library gets through its handshake: the user can log in and all of the connect set is allowed. */
  connect: boolean
  /** Key patterns, canonical; `[]` = no keys. */
  keys: string[]
  /** Channel patterns, canonical; `[]` = no channels. */
  channels: string[]
  /** By family of commands: how many of how many are allowed. */
  families: { family: string; allowed: number; total: number }[]
  /** As a person types them, sorted: `CLIENT SETNAME`. */
  allowed: string[]
  /** Sorted likewise, each with its reason as a sentence. */
  denied: { command: string; reason: string }[]
  /** What a reader of the lists would get wrong without being told. */
  notes: string[]
}

/** Categories that say how a command runs and not what it is for. */
const NO_FAMILIES = ['fast', 'slow', 'blocking', 'admin', 'dangerous']

const typed = (name: string): string => name.toUpperCase().replace('|', ' ')
const globOf = (pattern: string): string => pattern.replace(/^(~|&|%[RW]+~)/, '')

/**
 * The questions about one user on one engine: each command inside the user's patterns, and those with keys or channels
 * once more outside of them. A few hundred; one pipeline.
 * @param engineVersion as INFO says it
 */
export function probesFor(user: AclUser, engineVersion: string): Probe[] {
  const keys = canonicalKeys(user.keys).map(globOf)
  const channels = canonicalChannels(user.channels).map(globOf)
  const key = keys.map(sampleInside).find((sample) => sample !== undefined) ?? 'valkeep-probe'
  const channel = channels.map(sampleInside).find((sample) => sample !== undefined) ?? 'valkeep-probe'
  // `~*` and `&*` are flags of the user, not globs: nothing is outside, not even the empty text that no glob matches.
  const strangeKey = keys.includes('*') ? undefined : sampleOutside(keys)
  const strangeChannel = channels.includes('*') ? undefined : sampleOutside(channels)
  return runnableCommands(engineVersion).flatMap((command) => {
    // PSUBSCRIBE's argument must be a permitted pattern literally, not a channel that one matches
    const own = command.name === 'psubscribe' ? (channels[0] ?? channel) : channel
    const probes: Probe[] = [{ command: command.name, words: sampleWords(command, key, own), where: 'inside' }]
    const isStrange = touchesKeys(command)
      ? strangeKey !== undefined
      : touchesChannels(command) && strangeChannel !== undefined
    if (isStrange) {
      const words = sampleWords(command, strangeKey ?? key, strangeChannel ?? own)
      probes.push({ command: command.name, words, where: 'outside' })
    }
    return probes
  })
}

function reasonOf(name: string, reply: string): string {
  const what = /the '.*' (command|key|channel|database)$/s.exec(reply.trim())?.[1]
  if (what === 'key') return 'the user’s key pattern does not permit it'
  if (what === 'channel') return 'the user’s channel pattern does not permit it'
  if (what === 'database') return 'the user may not use this database'
  if (what === undefined) return 'the server did not decide: the command could not be tried'
  if (FORBIDDEN.has(name)) return `never a tenant’s: ${forbiddenReason(name)}`
  return 'the user’s privileges do not include it'
}

function familiesOf(verdicts: readonly Verdict[]): Explanation['families'] {
  const counts = new Map<string, { allowed: number; total: number }>()
  for (const { probe, reply } of verdicts) {
    for (const family of COMMANDS.get(probe.command)?.categories ?? []) {
      if (NO_FAMILIES.includes(family)) continue
      const count = counts.get(family) ?? { allowed: 0, total: 0 }
      counts.set(family, { allowed: count.allowed + (reply === 'OK' ? 1 : 0), total: count.total + 1 })
    }
  }
  return Array.from(counts, ([family, count]) => ({ family, ...count })).sort((a, b) => (a.family < b.family ? -1 : 1))
}

function notesOf(user: AclUser, allowed: ReadonlySet<string>, leaks: readonly string[]): string[] {
  const notes: string[] = []
  const hasAllKeys = canonicalKeys(user.keys)[0] === '~*'
  const namers = ['scan', 'randomkey', 'clusterscan'].filter((name) => allowed.has(name)).map(typed)
  if (!user.on) notes.push('The user is switched off: nobody can log in as it.')
  if (user.on && !user.nopass && user.passwords.length === 0) notes.push('The user has no password: nobody can log in.')
  if (!hasAllKeys && namers.length > 0) {
    notes.push(`${namers.join(', ')} show names of keys outside the key pattern, never their values.`)
  }
  if (user.channels.length === 0 && (allowed.has('pubsub|channels') || allowed.has('unsubscribe'))) {
    notes.push('The user has no channels: PUBLISH and SUBSCRIBE need a channel_pattern.')
  }
  if (['eval', 'evalsha', 'fcall'].some((name) => allowed.has(name))) {
    notes.push('Scripts run with the user’s own permissions: what is denied here is denied inside them.')
  }
  if (leaks.length > 0) notes.push(`Permitted outside the key or channel pattern: ${leaks.join(', ')}.`)
  return notes
}

/**
 * Folds the server's answers into the explanation.
 * @param user as observed, or as desired where that is what was asked
 * @param verdicts one for each probe of probesFor, in any order
 */
export function explainUser(user: AclUser, verdicts: readonly Verdict[]): Explanation {
  const inside = verdicts.filter(({ probe }) => probe.where === 'inside')
  const allowed = new Set(inside.filter(({ reply }) => reply === 'OK').map(({ probe }) => probe.command))
  const leaks = verdicts
    .filter(({ probe, reply }) => probe.where === 'outside' && reply === 'OK')
    .map(({ probe }) => typed(probe.command))
  const connects = CONNECT_COMMANDS.every((name) => {
    const subcommands = COMMANDS.get(name)?.subcommands ?? []
    return allowed.has(name) || subcommands.some((sub) => allowed.has(sub))
  })
  const byCommand = (a: { command: string }, b: { command: string }): number => (a.command < b.command ? -1 : 1)
  return {
    connect: user.on && (user.nopass || user.passwords.length > 0) && connects,
    keys: canonicalKeys(user.keys),
    channels: canonicalChannels(user.channels),
    families: familiesOf(inside),
    allowed: [...allowed].map(typed).sort(),
    denied: inside
      .filter(({ reply }) => reply !== 'OK')
      .map(({ probe, reply }) => ({ command: typed(probe.command), reason: reasonOf(probe.command, reply) }))
      .sort(byCommand),
    notes: notesOf(user, allowed, leaks),
  }
}
