import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromRow, toInteger, toRow } from './row.ts'

test('a value becomes a row: snake_case, booleans as 0 and 1, JSON as text', () => {
  const row = toRow({ id: 'a', maxMemoryMb: 64, everActive: true, isOff: false, statusMessage: null, tags: ['x'] })
  assert.deepEqual(row, {
    id: 'a',
    max_memory_mb: 64,
    ever_active: 1,
    is_off: 0,
    status_message: null,
    tags: '["x"]',
  })
})

test('what is undefined is left out, what is null is kept', () => {
  const patch: { a?: string | undefined; b: null } = { a: undefined, b: null }
  assert.deepEqual(toRow(patch), { b: null })
})

test('a row of node:sqlite becomes an ordinary object with camelCase keys', () => {
  const row = Object.assign(Object.create(null) as { max_memory_mb: number; id: string }, { id: 'a', max_memory_mb: 1 })
  const value = fromRow(row)
  assert.deepEqual(value, { id: 'a', maxMemoryMb: 1 })
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
})

test('counts are exact or refused', () => {
  assert.equal(toInteger('12'), 12)
  assert.equal(toInteger(12n), 12)
  assert.equal(toInteger(null), 0)
  assert.throws(() => toInteger('9007199254740993'), RangeError)
  assert.throws(() => toInteger('x'), RangeError)
})
