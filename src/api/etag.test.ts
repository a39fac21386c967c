import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Problem } from '../domain/problem.ts'
import { etagOf, parseIdempotencyKey, parseIfMatch } from './etag.ts'

test('an ETag comes back as the revision it was made of, alone and in a list', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), (revisions) => {
      assert.deepEqual(parseIfMatch(revisions.map(etagOf).join(', ')), revisions)
    }),
  )
})

test('If-Match: none and * are no condition; what is no tag of ours fits nothing', () => {
  assert.equal(parseIfMatch(undefined), null)
  assert.equal(parseIfMatch(' * '), null)
  for (const tag of ['', '1', 'W/"1"', '"a"', '"-1"', '"1e3"', '"1', '"9999999999999999"']) {
    assert.deepEqual(parseIfMatch(tag), [], tag)
  }
  assert.deepEqual(parseIfMatch('W/"1", "2", nonsense'), [2])
})

test('an idempotency key is 1 to 255 printable ASCII characters', () => {
  assert.equal(parseIdempotencyKey(undefined), null)
  assert.equal(parseIdempotencyKey('x'.repeat(255)), 'x'.repeat(255))
  for (const key of ['', ' ', 'a b', 'é', 'x'.repeat(256), ['a', 'b']]) {
    assert.throws(
      () => parseIdempotencyKey(key),
      (error) => error instanceof Problem && error.code === 'invalid',
    )
  }
})
