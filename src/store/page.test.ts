import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BadCursor, decodeCursor, encodeCursor, listed, pageStart, pageStartNewest, rowLimit } from './page.ts'

const id = (n: number) => `ins_${n.toString(16).padStart(32, '0')}`
const hexId = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((n) => `ins_${n.toString(16).padStart(32, '0')}`)

test('a cursor leads back to its id, in its own list only', () => {
  fc.assert(
    fc.property(hexId, (after) => {
      assert.equal(decodeCursor('instances', encodeCursor('instances', after)), after)
      assert.throws(() => decodeCursor('users', encodeCursor('instances', after)), BadCursor)
    }),
  )
})

test('whatever was not given out is a bad cursor', () => {
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const bad = [
    '',
    'x',
    '%00',
    'a b',
    encode([2, 'instances', id(1)]),
    encode([1, 'instances', 7]),
    encode([1, 'instances', "' or 1=1"]),
    encode([1, 'instances', id(1), 'more']),
    encode({ version: 1 }),
    encode(null),
    `${encodeCursor('instances', id(1))}=`,
    encode([1, 'instances', id(1).padEnd(2000, '0')]),
  ]
  for (const cursor of bad) assert.throws(() => decodeCursor('instances', cursor), BadCursor, cursor)
  fc.assert(
    fc.property(fc.string(), (cursor) => {
      assert.throws(() => decodeCursor('instances', cursor), BadCursor)
    }),
  )
})

test('one row more than the page holds makes the next cursor', () => {
  const rows = [1, 2, 3].map((n) => ({ id: id(n) }))
  const page = { limit: 2, cursor: null }
  assert.equal(rowLimit(page), 3)
  const first = listed('instances', page, rows)
  assert.deepEqual(first.items, rows.slice(0, 2))
  assert.equal(first.hasMore, true)
  assert.equal(pageStart('instances', { limit: 2, cursor: first.nextCursor }), id(2))
  assert.deepEqual(listed('instances', page, rows.slice(0, 2)), {
    items: rows.slice(0, 2),
    hasMore: false,
    nextCursor: null,
  })
  assert.deepEqual(listed('instances', page, []), { items: [], hasMore: false, nextCursor: null })
})

test('without a cursor a list starts before its first id', () => {
  fc.assert(
    fc.property(hexId, (any) => {
      assert.ok(pageStart('instances', { limit: 1, cursor: null }) < any)
      assert.ok(pageStartNewest('instances', 'ins', { limit: 1, cursor: null }) > any)
    }),
  )
})

test('a page of no items, or of half an item, is a bug of the caller', () => {
  for (const limit of [0, -1, 1.5, Number.NaN]) assert.throws(() => rowLimit({ limit, cursor: null }), RangeError)
})
