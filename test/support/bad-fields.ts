/** Bad values of single fields: names, passwords, patterns, privileges. */
import fc from 'fast-check'
import { type BadRequest, create, type Family, goodUser, notText, post, users } from './bad-request.ts'
import { knownWeak } from './weak-passwords.ts'

const nasty = [
  '/',
  '..',
  '\n',
  ' ',
  '$(id)',
  '%',
  '%s',
  'é',
  '日本',
  '\0',
  '`',
  ';',
  '\r\nrequirepass x',
  '"',
  '\u202e',
  'A',
]

/** Text that breaks a pattern: a good one with something nasty in it, or anything at all. */
const textThatBreaks = (pattern: RegExp, good: string) =>
  fc
    .oneof(
      fc
        .tuple(fc.nat(good.length), fc.constantFrom(...nasty))
        .map(([at, piece]) => good.slice(0, at) + piece + good.slice(at)),
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc.string({ maxLength: 80 }),
      fc.integer({ min: 64, max: 5000 }).map((length) => 'a'.repeat(length)),
      fc.constantFrom('-a', '1a', '_a', 'a'.repeat(256), '', '.', '..'),
    )
    .filter((text) => !pattern.test(text))

export const names: Family = {
  name: 'names',
  requests: (target) => {
    const one = (name: unknown) => post(create(target), { name }, '/name')
    const listed = [
      'a/b',
      '../a',
      'a..b',
      'a\nb',
      'a b',
      '-a',
      '$(id)',
      'a%b',
      'ä',
      '',
      'a'.repeat(256),
      'A',
      'a_b',
      'a.',
    ]
    return {
      table: listed.map(one),
      more: fc.oneof(textThatBreaks(/^[a-z][a-z0-9-]{0,62}$/, 'myapp-cache'), notText).map(one),
    }
  },
}

export const usernames: Family = {
  name: 'usernames',
  requests: (target) => {
    const one = (username: unknown) => post(users(target), { ...goodUser, username }, '/username')
    const nested = (username: unknown) =>
      post(create(target), { name: 'a', users: [goodUser, { ...goodUser, username }] }, '/users/1/username')
    const own = ['default', 'valkeep-admin', 'valkeep-replication', 'valkeep-monitor', 'valkeep-session-1', 'valkeep-']
    const listed = [...own, '', 'a b', 'a\0b', 'a\nb', 'a on nopass', '>x', 'A', '-a', 'a'.repeat(64)]
    const generated = fc.oneof(
      textThatBreaks(/^[a-z][a-z0-9_-]{0,62}$/, 'readonly_user'),
      fc.stringMatching(/^[a-z0-9_-]{0,40}$/).map((rest) => `valkeep-${rest}`),
      notText,
    )
    return {
      table: [...listed.map(one), ...listed.map(nested)],
      more: fc.tuple(generated, fc.boolean()).map(([name, isNested]) => (isNested ? nested(name) : one(name))),
    }
  },
}

export const passwords: Family = {
  name: 'passwords',
  requests: (target) => {
    const secretOf = (password: unknown) =>
      typeof password === 'string' && password.length >= 6 ? { secret: password } : {}
    const one = (password: unknown): BadRequest => ({
      ...post(users(target), { ...goodUser, password }, '/password'),
      ...secretOf(password),
    })
    const change = (password: unknown): BadRequest => ({
      ...one(password),
      method: 'PUT',
      path: `/valkey-users/${target.userId}`,
      options: { body: { password } },
    })
    const directive = 'long-enough-password\nrequirepass open'
    const listed = [
      '',
      'short',
      'elevenchars',
      ...knownWeak,
      directive,
      'x'.repeat(513),
      'tab\tin-the-middle',
      'nul\0in-the-middle',
    ]
    const generated = fc.oneof(
      fc.string({ maxLength: 11 }).filter((text) => [...text].length < 12),
      fc.constantFrom(...knownWeak),
      fc
        .tuple(
          fc.stringMatching(/^[a-z]{8,20}$/),
          fc.constantFrom('\n', '\r', '\0', '\x1b', '\x7f'),
          fc.stringMatching(/^[a-z]{8,20}$/),
        )
        .map((parts) => parts.join('')),
      fc.integer({ min: 513, max: 3000 }).map((length) => 'xY7-'.repeat(length).slice(0, length)),
      notText,
    )
    return {
      table: [...listed.map(one), ...listed.map(change)],
      more: fc.tuple(generated, fc.boolean()).map(([text, isChange]) => (isChange ? change(text) : one(text))),
    }
  },
}

export const keyPatterns: Family = {
  name: 'key and channel patterns',
  requests: (target) => {
    const key = (pattern: unknown) => post(users(target), { ...goodUser, key_pattern: pattern }, '/key_pattern')
    const channel = (pattern: unknown) =>
      post(users(target), { ...goodUser, channel_pattern: pattern }, '/channel_pattern')
    const keys = [
      '',
      '%',
      '%R~x',
      '%W~x',
      '%RW~x',
      '~a ~b',
      '~a\n~b',
      '&*',
      '(~x +get)',
      `~${'*'.repeat(1000)}`,
      '~',
      'allkeys',
      'app:*',
      '~ä',
      '~a\0',
      '+@all',
      'resetkeys',
      `~${'a'.repeat(300)}`,
    ]
    const channels = ['', '&', '~x', '&a &b', '%x', '(&x)', `&${'*'.repeat(1000)}`, '+get', '&ä']
    const generated = fc.oneof(
      fc.string().filter((text) => !text.startsWith('~') && text !== '*'),
      fc
        .tuple(fc.constantFrom('%', '%R~', '%W~', '%RW~', '&', '(', '+', '-', '>', '#', '<', '!'), fc.string())
        .map((parts) => parts.join('')),
      fc
        .tuple(fc.string(), fc.constantFrom(' ', '\n', '\t', '\0', 'é', '\r'))
        .map(([text, piece]) => `~a${text}${piece}b`),
      fc.integer({ min: 9, max: 2000 }).map((stars) => `~${'a*'.repeat(stars)}`),
      fc.integer(),
    )
    return { table: [...keys.map(key), ...channels.map(channel)], more: generated.map(key) }
  },
}

/** Out of a tenant's data, of another field, unknown, or no rule at all. */
const noPrivileges = [
  '+@admin',
  '+@dangerous',
  'nopass',
  '>secret-password',
  '<secret-password',
  `#${'a'.repeat(64)}`,
  '~*',
  '%R~*',
  '&*',
  '(+get ~x)',
  'reset',
  'on',
  'off',
  'allkeys',
  'allchannels',
  'resetpass',
  'resetkeys',
  'clearselectors',
  '+config',
  '+acl',
  '+acl|setuser',
  '+replicaof',
  '+shutdown',
  '+debug',
  '+module',
  '+flushall',
  '+client|kill',
  '+swapdb',
  '+keys|x',
  '+nosuchcommand',
  '+@nosuchcategory',
  '',
  '+',
  '@',
  '+@',
  '-',
  '+get +set',
  '+get\n+set',
  '+é',
  'db=0',
]

export const privileges: Family = {
  name: 'privileges',
  requests: (target) => {
    const one = (list: unknown) => post(users(target), { ...goodUser, privileges: list }, '/privileges')
    const generated = fc.oneof(
      fc.constantFrom(...noPrivileges),
      fc.string({ minLength: 1, maxLength: 40 }).map((text) => `+${text}#`),
      fc.stringMatching(/^[a-z]{3,12}$/).map((word) => `+@zz${word}`),
      fc.stringMatching(/^[a-z]{3,12}$/).map((word) => `+zz${word}`),
      fc.tuple(fc.constantFrom('>', '<', '#', '!', '~', '%R~', '&', '('), fc.string()).map((parts) => parts.join('')),
    )
    const mixed = fc.tuple(fc.subarray(['+@read', '+get', '-flushall']), generated, fc.nat(3))
    const lists = mixed.map(([good, bad, at]) => [...good.slice(0, at), bad, ...good.slice(at)])
    const shapes = fc.oneof(
      fc.constant([]),
      fc.array(fc.constant('+get'), { minLength: 101, maxLength: 120 }),
      notText.filter((value) => !Array.isArray(value)),
    )
    const table = [
      ...noPrivileges.map((rule) => ['+@read', rule]),
      ['read-only', '+get'],
      [],
      [5],
      [null],
      Array(101).fill('+get'),
      'read-only',
    ]
    return {
      table: table.map(one),
      more: fc.oneof({ weight: 5, arbitrary: lists }, { weight: 1, arbitrary: shapes }).map(one),
    }
  },
}
