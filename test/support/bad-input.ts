/** What the API has to refuse, as families of requests: each a table of the known nasty ones and a generator of more. */
import fc from 'fast-check'
import { knownWeak } from './weak-passwords.ts'
import type { CallOptions } from './http.ts'

export type BadRequest = {
  method: string
  path: string
  options: CallOptions
  statuses: number[]
  /** What the first error's pointer begins with; null: the fault is no field's. */
  pointer: string | null
  /** Must not come back. */
  secret?: string
}

export type Target = {
  tenantId: string
  instanceId: string
  userId: string
  operationId: string
  /** A key of another tenant, with every scope that a tenant's key can have. */
  strangerKey: string
  /** MiB that the node has left. */
  leftMb: number
}

export type Family = {
  name: string
  requests: (target: Target) => { table: BadRequest[]; more: fc.Arbitrary<BadRequest> }
}

const create = (target: Target) => `/tenants/${target.tenantId}/valkey-instances`
const users = (target: Target) => `/valkey-instances/${target.instanceId}/users`
const goodUser = { username: 'fine', privileges: ['read-only'] }

const post = (path: string, body: unknown, pointer: string | null, statuses = [422]): BadRequest => ({
  method: 'POST',
  path,
  options: { body },
  statuses,
  pointer,
})

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

const notText = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.string()),
  fc.dictionary(fc.string(), fc.integer()),
)

const names: Family = {
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

const usernames: Family = {
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

const passwords: Family = {
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

const keyPatterns: Family = {
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

const privileges: Family = {
  name: 'privileges',
  requests: (target) => {
    const one = (list: unknown) => post(users(target), { ...goodUser, privileges: list }, '/privileges')
    const outside = [
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
    const generated = fc.oneof(
      fc.constantFrom(...outside),
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
      ...outside.map((rule) => ['+@read', rule]),
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

const memory: Family = {
  name: 'memory',
  requests: (target) => {
    const one = (max_memory_mb: unknown) => post(create(target), { name: 'a', max_memory_mb }, '/max_memory_mb')
    const tooMuch = (mb: number) => post(create(target), { name: 'a', max_memory_mb: mb }, '/max_memory_mb', [409])
    const grow = (mb: unknown): BadRequest => ({
      ...one(mb),
      method: 'PATCH',
      path: `/valkey-instances/${target.instanceId}`,
      options: { body: { max_memory_mb: mb } },
    })
    const values = [0, -1, 1e30, 1.5, '64', null, true, [], {}, 1_048_577, -0.5, Number.MAX_SAFE_INTEGER]
    const generated = fc.oneof(
      fc.integer({ max: 0 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
      fc.integer({ min: 1_048_577 }),
      fc.stringMatching(/^[0-9]{1,4}$/),
      fc.constantFrom(null, true, false, [], {}, [64]),
    )
    return {
      table: [...values.map(one), ...values.map(grow), tooMuch(target.leftMb + 1), tooMuch(1_048_576)],
      more: fc.oneof(
        fc.tuple(generated, fc.boolean()).map(([mb, isGrow]) => (isGrow ? grow(mb) : one(mb))),
        fc.integer({ min: target.leftMb + 1, max: 1_048_576 }).map(tooMuch),
      ),
    }
  },
}

const known = [
  'name',
  'shard_id',
  'max_memory_mb',
  'users',
  'username',
  'password',
  'privileges',
  'key_pattern',
  'channel_pattern',
]

const unknownFields: Family = {
  name: 'unknown and polluting fields',
  requests: (target) => {
    const field = (key: string, value: unknown, nested: boolean): BadRequest => {
      const extra = { [key]: value }
      const body = nested ? { name: 'a', users: [{ ...goodUser, ...extra }] } : { name: 'a', ...extra }
      // A spread copies __proto__ as any other key only where it is an own one: it is.
      return post(create(target), body, null, [400, 422])
    }
    const raw = (text: string): BadRequest => ({
      ...post(create(target), undefined, null, [400, 422]),
      options: { raw: text },
    })
    const keys = [
      'tenant_id',
      'port',
      'status',
      'id',
      'Name',
      'requirepass',
      'toString',
      'hasOwnProperty',
      'deletion_protection',
    ]
    const polluting = [
      '{"name":"a","__proto__":{"max_memory_mb":1}}',
      '{"name":"a","constructor":{"prototype":{"x":1}}}',
      '{"name":"a","users":[{"username":"u","privileges":["full"],"__proto__":{"password":"x"}}]}',
      '{"__proto__":null}',
      '{"name":"a","\\u005f_proto__":{"x":1}}',
    ]
    return {
      table: [
        ...keys.map((key) => field(key, 1, false)),
        ...keys.map((key) => field(key, 1, true)),
        ...polluting.map(raw),
      ],
      more: fc
        .tuple(
          fc.string({ maxLength: 30 }).filter((key) => !known.includes(key) && key !== '__proto__'),
          fc.jsonValue(),
          fc.boolean(),
        )
        .map(([key, value, nested]) => field(key, value, nested)),
    }
  },
}

const foreign: Family = {
  name: "another tenant's ids",
  requests: (target) => {
    const { instanceId, userId, operationId, tenantId, strangerKey } = target
    const routes: [string, string, unknown][] = [
      ['GET', `/tenants/${tenantId}/valkey-instances`, undefined],
      ['POST', create(target), { name: 'a' }],
      ['GET', `/valkey-instances/${instanceId}`, undefined],
      ['PATCH', `/valkey-instances/${instanceId}`, { max_memory_mb: 65 }],
      ['DELETE', `/valkey-instances/${instanceId}`, undefined],
      ['POST', `/valkey-instances/${instanceId}/stop`, undefined],
      ['POST', `/valkey-instances/${instanceId}/retry`, {}],
      ['POST', `/valkey-instances/${instanceId}/sessions`, {}],
      ['GET', `/valkey-instances/${instanceId}/connection`, undefined],
      ['GET', users(target), undefined],
      ['POST', users(target), goodUser],
      ['GET', `/valkey-users/${userId}/effective`, undefined],
      ['PUT', `/valkey-users/${userId}`, { privileges: ['full'] }],
      ['DELETE', `/valkey-users/${userId}`, undefined],
      ['POST', `/operations/${operationId}/cancel`, undefined],
      ['GET', `/operations/${operationId}/wait?timeout_s=1`, undefined],
    ]
    const one = ([method, path, body]: [string, string, unknown]): BadRequest => ({
      method,
      path,
      options: { body, key: strangerKey },
      statuses: [404],
      pointer: null,
    })
    const malformed = fc
      .tuple(
        fc.constantFrom('valkey-instances', 'valkey-users', 'operations'),
        fc.string({ minLength: 1, unit: 'binary', maxLength: 120 }),
      )
      .filter(([, id]) => id !== '.' && id !== '..' && id.isWellFormed())
      .map(([noun, id]) => one(['GET', `/${noun}/${encodeURIComponent(id)}`, undefined]))
    return { table: routes.map(one), more: fc.oneof(fc.constantFrom(...routes).map(one), malformed) }
  },
}

const bodies: Family = {
  name: 'bodies that are too large, broken or of another type',
  requests: (target) => {
    const raw = (text: string, status: number, contentType = 'application/json'): BadRequest => ({
      ...post(create(target), undefined, null, [status]),
      options: { raw: text, contentType },
    })
    const good = JSON.stringify({ name: 'a', max_memory_mb: 64, users: [goodUser] })
    const types = [
      'text/plain',
      'text/html',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
      'application/octet-stream',
      'json',
    ]
    const broken = fc
      .oneof(
        fc.nat(good.length - 1).map((end) => good.slice(0, end)),
        fc
          .tuple(fc.nat(good.length), fc.constantFrom('}', '{', '"', ',', '\0', '\n"', '\\', 'NaN'))
          .map(([at, piece]) => good.slice(0, at) + piece + good.slice(at)),
        fc.string(),
      )
      .filter((text) => {
        try {
          JSON.parse(text)
          return false
        } catch {
          return true
        }
      })
    return {
      table: [
        raw(JSON.stringify({ name: 'x'.repeat(10_000_000) }), 413),
        raw(`{"name":"a"${' '.repeat(65_536)}}`, 413),
        ...types.map((type) => raw(good, 415, type)),
        ...['', '{', '{"name":"a"', "{'name':'a'}", '{"name":"a",}', 'undefined', '\ufeff{}x'].map((text) =>
          raw(text, 400),
        ),
      ],
      more: fc.oneof(
        broken.map((text) => raw(text, 400)),
        fc.integer({ min: 65_537, max: 300_000 }).map((length) => raw(`{"name":"${'x'.repeat(length)}"}`, 413)),
        fc.constantFrom(...types).map((type) => raw(good, 415, type)),
      ),
    }
  },
}

const nestedUsers: Family = {
  name: 'nested users',
  requests: (target) => {
    const list = (count: number) => Array.from({ length: count }, (_, n) => ({ ...goodUser, username: `u${n}` }))
    const one = (given: unknown, pointer: string) => post(create(target), { name: 'a', users: given }, pointer)
    const twice = (count: number, from: number) =>
      one([...list(count), { ...goodUser, username: `u${from % count}` }], `/users/${count}/username`)
    return {
      table: [
        one(list(101), '/users'),
        one(list(200), '/users'),
        twice(1, 0),
        twice(50, 7),
        one({}, '/users'),
        one([null], '/users/0'),
      ],
      more: fc.oneof(
        fc.integer({ min: 101, max: 150 }).map((count) => one(list(count), '/users')),
        fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(59)).map(([count, from]) => twice(count, from)),
      ),
    }
  },
}

/** Every family of issue §5 that is about one request. */
export const families: Family[] = [
  names,
  usernames,
  passwords,
  keyPatterns,
  privileges,
  memory,
  unknownFields,
  foreign,
  bodies,
  nestedUsers,
]
