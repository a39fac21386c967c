import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkPassword, GENERATED_PASSWORD_ALPHABET, GENERATED_PASSWORD_LENGTH } from './password-policy.ts'

const codeOf = (password: string): string => {
  const verdict = checkPassword(password)
  return verdict.ok ? 'ok' : verdict.code
}

test('the source’s own examples pass, and so do passphrases', () => {
  const fine = [
    'secretpass123',
    'readonlypass123',
    'blue kettle under rain',
    'zażółć gęślą jaźń',
    'x9$Lq!mV2#pT',
    `a1${'é'.repeat(255)}`,
  ]
  for (const password of fine) assert.equal(codeOf(password), 'ok', password)
})

test('length, in characters below and in bytes above', () => {
  for (const password of ['', 'short', 'elevenchars', '😀'.repeat(11)]) assert.equal(codeOf(password), 'too_short')
  for (const password of ['xk'.repeat(257), 'é7'.repeat(200), 'a'.repeat(10_000_000)])
    assert.equal(codeOf(password), 'too_long')
})

test('control characters, line breaks, broken text', () => {
  const broken = [
    'goodenough12\n',
    'good\nenough123',
    'goodenough\x00123',
    'goodenough\r\nrequirepass x',
    'goodenough\u2028123',
  ]
  for (const password of [...broken, 'goodenough\x7f12', 'goodenough\u009b12'])
    assert.equal(codeOf(password), 'control_character')
  assert.equal(codeOf('goodenough\ud800123'), 'not_text')
})

test('known-weak ones', () => {
  const weak = [
    ...['aaaaaaaaaaaa', '            ', 'abcabcabcabc', '121212121212', '123412341234', '123456789012', '012345678901'],
    ...[
      '987654321098',
      'abcdefghijkl',
      'lkjihgfedcba',
      'qwertyuiopas',
      '1qaz2wsx3edc',
      'qwertyuiop12',
      'QWERTYUIOP123',
    ],
    ...[
      'password1234',
      'Password1234',
      'passw0rd1234',
      'P@ssw0rd2024',
      'p@$$w0rd!!!!',
      'passwordpassword',
      '1234password',
    ],
    ...[
      'adminadmin12',
      'administrator',
      'admin1234567',
      'root12345678',
      'letmein12345',
      'changeme1234',
      'welcome2024!',
    ],
    ...[
      'iloveyou1234',
      'mysecretpassword',
      'secretpassword1',
      'defaultpassword',
      'valkeyvalkey',
      'redispassword1',
      'test12345678',
    ],
    ...['correcthorsebatterystaple', '1q2w3e4r5t6y', 'trustno1trustno1'],
  ]
  for (const password of weak) assert.equal(codeOf(password), 'known_weak', password)
})

test('the verdict never repeats the password', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 4, maxLength: 40 }), (password) => {
      const verdict = checkPassword(`${password}\n#canary`)
      assert.doesNotMatch(JSON.stringify(verdict), /canary/)
    }),
  )
})

test('what is generated always passes', () => {
  assert.equal(new Set(GENERATED_PASSWORD_ALPHABET).size, GENERATED_PASSWORD_ALPHABET.length)
  const generated = fc.string({
    minLength: GENERATED_PASSWORD_LENGTH,
    maxLength: GENERATED_PASSWORD_LENGTH,
    unit: fc.constantFrom(...GENERATED_PASSWORD_ALPHABET),
  })
  fc.assert(
    fc.property(fc.noBias(generated), (password) => assert.equal(codeOf(password), 'ok')),
    { numRuns: 1_000 },
  )
})
