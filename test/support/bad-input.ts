/** What the API has to refuse, as families of requests: each a table of the known nasty ones and a generator of more. */
import fc from 'fast-check'
import { keyPatterns, names, passwords, privileges, usernames } from './bad-fields.ts'
import { type BadRequest, create, type Family, goodUser, post, users } from './bad-request.ts'

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
