import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultSpec } from './default-spec.ts'
import {
  credentialsText,
  type KnownPassword,
  type NextPassword,
  nextPasswords,
  type PasswordChange,
  parseCredentials,
} from './secrets.ts'

const spec = defaultSpec()
const users = Object.keys(spec.users)
const sha256 = (text: string) => `digest of ${text}`
const none: PasswordChange = { force: false, rotate: undefined, keepOld: false, dropOld: undefined }

/** Passwords that no run has made before are `new 1`, `new 2` … */
function run(known: Record<string, KnownPassword>, change: Partial<PasswordChange> = {}) {
  let made = 0
  const make = () => `new ${++made}`
  return nextPasswords(spec, new Map(Object.entries(known)), { ...none, ...change }, { make, sha256 })
}

function ok(result: ReturnType<typeof run>): Map<string, NextPassword> {
  assert.ok('ok' in result, JSON.stringify(result))
  return result.ok
}

const settled = (): Record<string, KnownPassword> =>
  Object.fromEntries(users.map((user) => [user, { plain: user, digests: [sha256(user)] }]))

test('at first every user gets a password, in the spec’s order', () => {
  const next = ok(run({}))
  assert.deepEqual([...next.keys()], users)
  for (const [i, { plain, digests, isNew }] of [...next.values()].entries())
    assert.deepEqual(
      { plain, digests, isNew },
      { plain: `new ${i + 1}`, digests: [sha256(`new ${i + 1}`)], isNew: true },
    )
})

test('what is known stays, by its text, by its digests, or by both', () => {
  const known = settled()
  const [first = '', second = '', third = '', fourth = ''] = users
  known[second] = { plain: undefined, digests: ['a', 'b'] }
  known[third] = { plain: third, digests: [] }
  known[fourth] = { plain: fourth, digests: ['older', sha256(fourth)] }
  const next = ok(run(known))
  assert.deepEqual(next.get(first), { plain: first, digests: [sha256(first)], isNew: false })
  assert.deepEqual(next.get(second), { plain: undefined, digests: ['a', 'b'], isNew: false })
  assert.deepEqual(next.get(third), { plain: third, digests: [sha256(third)], isNew: false })
  assert.deepEqual(next.get(fourth), { plain: fourth, digests: ['older', sha256(fourth)], isNew: false })
})

test('a rotation is of one user: its old passwords end, or stay behind the new one', () => {
  const known = settled()
  const rotated = ok(run(known, { rotate: 'mcp-agent' }))
  assert.deepEqual(rotated.get('mcp-agent'), { plain: 'new 1', digests: [sha256('new 1')], isNew: true })
  const kept = ok(run(known, { rotate: 'mcp-agent', keepOld: true }))
  assert.deepEqual(kept.get('mcp-agent')?.digests, [sha256('new 1'), sha256('mcp-agent')])
  for (const user of users.filter((name) => name !== 'mcp-agent')) {
    assert.deepEqual(rotated.get(user), { plain: user, digests: [sha256(user)], isNew: false })
    assert.deepEqual(kept.get(user), rotated.get(user))
  }
})

test('the old passwords of one user end', () => {
  const known = settled()
  for (const user of ['mcp-agent', 'mcp-admin']) known[user] = { plain: user, digests: ['older', sha256(user)] }
  const next = ok(run(known, { dropOld: 'mcp-agent' }))
  assert.deepEqual(next.get('mcp-agent'), { plain: 'mcp-agent', digests: [sha256('mcp-agent')], isNew: false })
  assert.deepEqual(next.get('mcp-admin')?.digests, ['older', sha256('mcp-admin')])
})

test('contradictions name the user, unless a new password ends them', () => {
  const known = { ...settled(), 'log-writer': { plain: 'edited', digests: ['a'] } }
  const result = run(known)
  assert.ok('conflict' in result)
  assert.equal(result.conflict.user, 'log-writer')
  assert.ok(!JSON.stringify(result).includes('edited'), 'no password in it')
  assert.ok('ok' in run(known, { rotate: 'log-writer' }))
  assert.ok('ok' in run(known, { force: true }))
  assert.ok('conflict' in run(known, { rotate: 'mcp-agent' }))

  const unknown = { ...settled(), 'mcp-agent': { plain: undefined, digests: ['a', 'b'] } }
  assert.ok('conflict' in run(unknown, { dropOld: 'mcp-agent' }))
  assert.ok('ok' in run(unknown, { dropOld: 'mcp-admin' }))
})

test('whatever is known, every user has a digest afterwards, that of its text among them', () => {
  const digest = fc.constantFrom('a', 'b', ...users.map(sha256))
  const password = fc.record({
    plain: fc.option(fc.constantFrom(...users), { nil: undefined }),
    digests: fc.uniqueArray(digest, { maxLength: 3 }),
  })
  const known = fc.dictionary(fc.constantFrom(...users), password)
  const user = fc.option(fc.constantFrom(...users), { nil: undefined })
  const change = fc.record({ force: fc.boolean(), rotate: user, keepOld: fc.boolean(), dropOld: user })
  fc.assert(
    fc.property(known, change, (before, asked) => {
      const result = run(before, asked)
      if ('conflict' in result) return
      for (const [name, { plain, digests, isNew }] of result.ok) {
        assert.ok(digests.length > 0)
        if (plain !== undefined) assert.ok(digests.includes(sha256(plain)))
        const { plain: oldPlain, digests: oldDigests = [] } = before[name] ?? {}
        const wasKnown = oldPlain !== undefined || oldDigests.length > 0
        assert.equal(isNew, asked.force || asked.rotate === name || !wasKnown)
        if (!isNew && oldDigests.length > 0) assert.ok(digests.every((one) => oldDigests.includes(one)))
      }
    }),
  )
})

test('credentials are read as they are written', () => {
  const next = ok(run({}))
  const text = credentialsText(spec, next)
  assert.match(text, /^VALKEY_MCP_AGENT_PASS=new 1\nVALKEY_MCP_ADMIN_PASS=new 2\n/)
  const read = parseCredentials(text)
  assert.deepEqual(
    [...read.values()],
    [...next.values()].map(({ plain }) => plain),
  )
  assert.deepEqual(
    [...read.keys()],
    Object.values(spec.users).map(({ env }) => env),
  )
})

test('users whose password is known by its digest alone have no line', () => {
  const next = ok(run({ ...settled(), 'mcp-admin': { plain: undefined, digests: ['a'] } }))
  assert.ok(!credentialsText(spec, next).includes('MCP_ADMIN'))
})

test('comments, blank lines, export and line ends of Windows are read over', () => {
  const text = '# a comment\n\n  export A_PASS=one\r\nB_PASS=two=2\n#C_PASS=three\nlower=four\nD_PASS=\n'
  assert.deepEqual(
    [...parseCredentials(text)],
    [
      ['A_PASS', 'one'],
      ['B_PASS', 'two=2'],
      ['D_PASS', ''],
    ],
  )
})
