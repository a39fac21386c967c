/** The grammar of `privileges`: which command rules a tenant may write, and how they are normalised. */
import { FORBIDDEN, forbiddenReason } from './ceiling.ts'
import { CATEGORIES, COMMANDS, engineHas } from './command-table.ts'
import { isPresetName, PRESETS } from './presets.ts'

/** Entries in one list, and bytes in one entry (the longest real rule is under 40). */
export const MAX_PRIVILEGES = 100
export const MAX_PRIVILEGE_LENGTH = 64

export type PrivilegeErrorCode =
  | 'empty_list'
  | 'too_many'
  | 'empty'
  | 'too_long'
  | 'not_printable'
  | 'not_a_privilege'
  | 'unknown_command'
  | 'unknown_category'
  | 'too_new'
  | 'forbidden'
  | 'preset_not_alone'

/**
 * @property index of the entry at fault, 0 where the list itself is
 * @property reason never repeats the entry: a password may have been typed where a privilege belongs
 */
export type PrivilegeError = { index: number; code: PrivilegeErrorCode; reason: string }

export type PrivilegesResult = { ok: true; rules: string[] } | { ok: false; errors: PrivilegeError[] }

type Entry = { rule: string } | { code: PrivilegeErrorCode; reason: string }

const FOREIGN: readonly [RegExp, string][] = [
  [/^([><#!].*|nopass|resetpass)$/, 'passwords are set by the field password'],
  [/^([~%].*|allkeys|resetkeys)$/, 'keys are set by the field key_pattern'],
  [/^(&.*|allchannels|resetchannels)$/, 'channels are set by the field channel_pattern'],
  [/^(\(.*|.*\)|clearselectors)$/, 'selectors are not supported: one user has one set of rules'],
  [/^(on|off|reset|sanitize-payload|skip-sanitize-payload)$/, 'the user’s state is the platform’s'],
  [/^(db=.*|alldbs|resetdbs)$/, 'the choice of databases is not supported'],
]

function parseCategory(allow: boolean, category: string): Entry {
  if (category !== 'all' && !CATEGORIES.includes(category)) {
    return { code: 'unknown_category', reason: 'there is no such category' }
  }
  if (allow && (category === 'admin' || category === 'dangerous')) {
    return {
      code: 'forbidden',
      reason: `@${category} would let the user out of its data; name the single commands you need`,
    }
  }
  return { rule: `${allow ? '+' : '-'}@${category}` }
}

function parseCommand(allow: boolean, name: string, engineVersion: string | undefined): Entry {
  const command = COMMANDS.get(name)
  if (command === undefined) return { code: 'unknown_command', reason: 'there is no such command' }
  const typed = name.toUpperCase().replace('|', ' ')
  if (engineVersion !== undefined && !engineHas(command, engineVersion)) {
    return { code: 'too_new', reason: `${typed} needs Valkey ${command.since}, the instance runs ${engineVersion}` }
  }
  if (allow && FORBIDDEN.has(name)) {
    return { code: 'forbidden', reason: `${typed} is not a tenant’s: ${forbiddenReason(name)}` }
  }
  const out = allow ? command.subcommands.find((sub) => FORBIDDEN.has(sub)) : undefined
  if (out !== undefined) {
    const reason = `${typed} includes ${out.toUpperCase().replace('|', ' ')}; name the subcommands you need: +${name}|…`
    return { code: 'forbidden', reason }
  }
  return { rule: `${allow ? '+' : '-'}${name}` }
}

function parseEntry(value: string, engineVersion: string | undefined): Entry {
  if (value === '') return { code: 'empty', reason: 'an entry must not be empty' }
  if (value.length > MAX_PRIVILEGE_LENGTH) {
    return { code: 'too_long', reason: `an entry has at most ${MAX_PRIVILEGE_LENGTH} characters` }
  }
  if (!/^[\x21-\x7e]+$/.test(value)) {
    return { code: 'not_printable', reason: 'an entry is one word of printable ASCII, one rule, no space' }
  }
  const word = value.toLowerCase()
  const foreign = FOREIGN.find(([pattern]) => pattern.test(word))
  if (foreign !== undefined) return { code: 'not_a_privilege', reason: `this is no privilege: ${foreign[1]}` }
  if (word === 'allcommands') return { rule: '+@all' }
  if (word === 'nocommands') return { rule: '-@all' }
  const allow = !word.startsWith('-')
  const subject = /^[+-]/.test(word) ? word.slice(1) : word
  return subject.startsWith('@') ? parseCategory(allow, subject.slice(1)) : parseCommand(allow, subject, engineVersion)
}

function listError(code: PrivilegeErrorCode, reason: string): PrivilegesResult {
  return { ok: false, errors: [{ index: 0, code, reason }] }
}

/**
 * Reads a tenant's privileges: `+@read`, `+GET`, `-flushall`, `get` (= `+get`), `+client|setname`, `allcommands`, or one
 * preset's name alone, which stays as it is. Case does not matter; the rules come back in lower case, in order.
 * Refuses with a reason what no tenant may have and what belongs in another field.
 * @param engineVersion the instance's engine (`8.0.1`); where given, commands that it lacks are refused (`too_new`)
 */
export function parsePrivileges(input: readonly string[], engineVersion?: string): PrivilegesResult {
  if (input.length === 0) return listError('empty_list', 'at least one privilege is needed, for example "read-only"')
  if (input.length > MAX_PRIVILEGES) return listError('too_many', `at most ${MAX_PRIVILEGES} privileges are accepted`)
  const rules: string[] = []
  const errors: PrivilegeError[] = []
  for (const [index, value] of input.entries()) {
    const preset = value.toLowerCase()
    let entry: Entry
    if (!isPresetName(preset)) entry = parseEntry(value, engineVersion)
    else if (input.length === 1) entry = { rule: preset }
    else entry = { code: 'preset_not_alone', reason: `the preset ${preset} stands alone, without other privileges` }
    if ('rule' in entry) rules.push(entry.rule)
    else errors.push({ index, ...entry })
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, rules }
}

/** The rules behind normalised privileges: a preset's own, else the rules themselves. */
export function expandPrivileges(privileges: readonly string[]): readonly string[] {
  const [first] = privileges
  return first !== undefined && privileges.length === 1 && isPresetName(first) ? PRESETS[first] : privileges
}
