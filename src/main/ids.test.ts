import assert from 'node:assert/strict'
import { it } from 'node:test'
import { idSchema } from '../domain/model/common.ts'
import { makeNewId } from './ids.ts'

it('makes ids in order within a millisecond, past its counter, and when the clock is set back', () => {
  let nowMs = Date.UTC(2026, 0, 1)
  const newId = makeNewId(() => nowMs)
  const ids = Array.from({ length: 10_000 }, () => newId('operation'))
  nowMs -= 3_600_000
  ids.push(newId('operation'))
  nowMs += 7_200_000
  ids.push(newId('operation'))
  assert.deepEqual(ids, ids.toSorted())
  assert.equal(new Set(ids).size, ids.length)
})

it('makes UUIDv7 of the time', () => {
  const id = makeNewId(() => 0x0199_1234_5678)('user')
  assert.match(id, /^usr_0199123456787000[89ab][0-9a-f]{15}$/)
  assert.ok(idSchema('user').safeParse(id).success)
})
