import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomApiKey, randomPassword, sha256Hex } from './random.ts'

test('passwords: 32 letters and digits, both kinds, never the same', () => {
  const passwords = Array.from({ length: 2000 }, randomPassword)
  for (const password of passwords) {
    assert.match(password, /^[A-Za-z0-9]{32}$/)
    assert.match(password, /[A-Za-z]/)
    assert.match(password, /[0-9]/)
  }
  assert.equal(new Set(passwords).size, passwords.length)
})

test('passwords use every character about equally often', () => {
  const counts = new Map<string, number>()
  for (const character of Array.from({ length: 4000 }, randomPassword).join('')) {
    counts.set(character, (counts.get(character) ?? 0) + 1)
  }
  assert.equal(counts.size, 57)
  // 128,000 draws over 57: mean 2,246, standard deviation 47; seven deviations are one false alarm in 10^10 runs.
  for (const [character, count] of counts) assert.ok(Math.abs(count - 2246) < 330, `${character}: ${count}`)
})

test('API keys: vk_ and 43 URL-safe characters, never the same', () => {
  const keys = Array.from({ length: 1000 }, randomApiKey)
  for (const key of keys) assert.match(key, /^vk_[A-Za-z0-9_-]{43}$/)
  assert.equal(new Set(keys).size, keys.length)
})

test('sha256Hex is that of the standard, over UTF-8', () => {
  assert.equal(sha256Hex('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  assert.equal(sha256Hex('é'), sha256Hex(Buffer.from([0xc3, 0xa9])))
})
