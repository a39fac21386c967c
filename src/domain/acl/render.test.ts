import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AclUser } from './acl-user.ts'
import { renderAclFile, setUserArgs, UnsafeAclUser } from './render.ts'
import { defaultOffUser } from './tenant-user.ts'

const DIGEST = '0123456789abcdef'.repeat(4)
const user: AclUser = {
  name: 'app',
  on: true,
  nopass: false,
  passwords: [DIGEST],
  commands: ['-@all', '+@read', '+client|setname'],
  keys: ['~app:*', '%R~shared:*'],
  channels: ['&news:*'],
  selectors: [],
}

test('an aclfile: one line each, digests only, ends with a newline', () => {
  assert.equal(
    renderAclFile([defaultOffUser(), user]),
    `user default off resetchannels -@all\n` +
      `user app on #${DIGEST} ~app:* %R~shared:* resetchannels &news:* -@all +@read +client|setname\n`,
  )
})

test('SETUSER begins with reset, so that nothing old stays', () => {
  assert.deepEqual(setUserArgs(user).slice(0, 4), ['app', 'reset', 'on', `#${DIGEST}`])
  assert.deepEqual(setUserArgs(defaultOffUser()), ['default', 'reset', 'off', 'resetchannels', '-@all'])
})

test('nothing unsafe gets in, and the refusal repeats none of it', () => {
  const unsafe: Partial<AclUser>[] = [
    ...['', 'a b', 'a\nuser evil on nopass', 'ünicode', 'A', '-x'].map((name) => ({ name })),
    ...['', 'plainsecret', `>${DIGEST}`, `#${DIGEST}`, DIGEST.toUpperCase(), `${DIGEST}\n`].map((word) => ({
      passwords: [word],
    })),
    ...['', 'get', '+get ', '+get\n', '+GET', '+', '>plainsecret', '~*', '+get +set', 'nopass'].map((word) => ({
      commands: [word],
    })),
    ...['', '*', '%', '%~x', '%X~x', '~', '~a b', '~a\n', '&x', '(~x)', '~é', 'allkeys'].map((word) => ({
      keys: [word],
    })),
    ...['', '*', '~x', '&', '&a b', '&a\n', 'allchannels'].map((word) => ({ channels: [word] })),
    { nopass: true },
    { selectors: ['(+get ~x)'] },
    { others: ['skip-sanitize-payload'] },
  ]
  for (const part of unsafe) {
    const bad = { ...user, ...part }
    const isRefusal = (error: unknown) => error instanceof UnsafeAclUser && !/plainsecret|evil|\n/.test(error.message)
    assert.throws(() => setUserArgs(bad), isRefusal, JSON.stringify(part))
    assert.throws(() => renderAclFile([defaultOffUser(), bad]), isRefusal, JSON.stringify(part))
  }
})

test('a file without default, or with a user twice, is never written', () => {
  assert.throws(() => renderAclFile([user]), /default is missing/)
  assert.throws(() => renderAclFile([defaultOffUser(), user, user]), /named twice/)
})
