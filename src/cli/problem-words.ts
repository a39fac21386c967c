/** What the API says of a request, in the words of the command line. */
import { presetNames } from '../domain/acl/presets.ts'

/** Fields of requests by the flag or argument that carries them. */
const words: Record<string, string> = {
  name: 'NAME',
  username: 'USERNAME',
  max_memory_mb: '--memory-mb',
  password: '--password-stdin',
  privileges: '--privileges',
  key_pattern: '--key-pattern',
  channel_pattern: '--channel-pattern',
  users: '--user',
  shard_id: '--shard',
  tenant_id: '--tenant',
  deletion_protection: '--deletion-protection',
  accept_data: '--accept-data',
  accept_engine: '--accept-engine',
  preset: '--preset',
  ttl_s: '--ttl',
  scopes: '--scope',
  expires_at: '--expires-at',
  max_instances: '--max-instances',
  max_total_memory_mb: '--max-total-memory-mb',
  node_ids: '--node',
  limit: '--limit',
  status: '--status',
  instance_id: '--instance',
}

/** `/users/0/username` has a flag of its own: the users that come with an instance are named by --user. */
const ofUsers: Record<string, string> = { username: '--user' }

/** Parts of a pointer that are places in a list: the second is told from the first, the only one is not counted. */
const counted = (at: string | undefined) => (at === undefined || at === '0' ? '' : ` (no. ${Number(at) + 1})`)

/**
 * The flag or argument behind a field.
 * @param pointer JSON pointer into the body, or `?name` of a query parameter; what is not known stays as it is
 */
export function wordOf(pointer: string): string {
  const [first = '', ...rest] = pointer.replace(/^[/?]/, '').split('/')
  if (pointer === '' || pointer === '/') return 'the request'
  if (first === 'settings' && rest[0] !== undefined)
    return `--set ${rest[0]}${rest.length > 1 ? ` (${rest.slice(1).join('/')})` : ''}`
  if (first === 'users' && rest[1] !== undefined) {
    const [at, field, index] = rest
    const word = Object.hasOwn(ofUsers, field) ? ofUsers[field] : Object.hasOwn(words, field) ? words[field] : field
    return `${word}${field === 'username' ? counted(at) : counted(index)}`
  }
  return Object.hasOwn(words, first) ? `${words[first]}${counted(rest[0])}` : pointer
}

const kinds: Record<string, string> = {
  int: 'a whole number',
  integer: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  undefined: 'nothing',
}
const kind = (name: string) => (Object.hasOwn(kinds, name) ? kinds[name] : name)
const bounds: Record<string, string> = { '>=': 'at least', '<=': 'at most', '>': 'more than', '<': 'less than' }

/** Zod's own sentences as ours: `must be at least 1`. Others stay as they are. */
const sentences: [RegExp, (...parts: string[]) => string][] = [
  [
    /^Too (?:small|big): expected \w+ to (be|have) (>=|<=|>|<)(-?[\d.]+)(.*)$/,
    (_, verb, sign = '', n, unit) => `must ${verb} ${bounds[sign]} ${n}${unit}`,
  ],
  [
    /^Invalid input: expected (\w+), received (\w+)$/,
    (_, wanted = '', got = '') => `must be ${kind(wanted)}, not ${kind(got)}`,
  ],
  [
    /^Invalid (?:option|input): expected (?:one of )?(".*)$/,
    (_, all = '') => `must be ${all.includes('|') ? 'one of ' : ''}${all.replaceAll('"', '').replaceAll('|', ', ')}`,
  ],
  [/^Invalid string: must match pattern (.*)$/, (_, pattern) => `must match ${pattern}`],
  [/^Invalid ISO datetime$/, () => 'must be a time in UTC such as 2030-01-31T00:00:00Z'],
  [/^Invalid input$/, () => 'is not a value that it takes'],
]

const readable = (detail: string): string => {
  for (const [pattern, say] of sentences) if (pattern.test(detail)) return detail.replace(pattern, say)
  return detail
}

/** One field that is wrong. */
export type FieldProblem = { pointer?: string; code?: string; detail?: string }

/** One line on it: which flag, what is wrong with it, and for privileges what there is. */
export function fieldLine({ pointer = '', code, detail = 'is wrong' }: FieldProblem): string {
  const unknown = code === 'unknown_command' || code === 'unknown_category'
  const known = unknown ? `; there are the presets ${presetNames.join(', ')}, and rules such as +@read, +get` : ''
  return `${wordOf(pointer)}: ${readable(detail)}${known}`
}
