import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { queryInteger, routeSchema } from './schema.ts'

test('an integer of a query is written as one, and within its bounds', () => {
  const schema = queryInteger(1, 200, 'how many')
  fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), (n) => assert.equal(schema.parse(String(n)), n)))
  fc.assert(
    fc.property(
      fc.integer().filter((n) => n < 1 || n > 200),
      (n) => assert.ok(!schema.safeParse(String(n)).success),
    ),
  )
  for (const text of ['', ' 1', '1 ', '01', '+1', '1.0', '1e1', '0x10', '１', 'NaN', ['1'], 1]) {
    assert.ok(!schema.safeParse(text).success, String(text))
  }
})

test('a route documents the problems of its kind', () => {
  const statuses = (spec: object) =>
    Object.keys(routeSchema({ tag: 't', summary: 's', answers: { 200: z.object({}) }, ...spec }).response)
  assert.deepEqual(statuses({ open: true }), ['200', '422', '429', '500', '503'])
  assert.deepEqual(statuses({}), ['200', '401', '403', '422', '429', '500', '503'])
  const all = statuses({ params: z.object({}), body: z.object({}), problems: ['wrong-state', 'name-taken'] })
  assert.deepEqual(all, ['200', '400', '401', '403', '404', '409', '413', '415', '422', '429', '500', '503'])
})
