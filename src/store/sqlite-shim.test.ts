import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { makeGate, makePrepare } from './sqlite-shim.ts'

const open = () => {
  const database = new DatabaseSync(':memory:')
  database.exec('create table t (a text, n integer)')
  return database
}

test('what returns rows is a reader, whatever its first word', () => {
  const prepare = makePrepare(open())
  assert.equal(prepare('select a from t').reader, true)
  assert.equal(prepare("insert into t values ('x', 1) returning n").reader, true)
  assert.equal(prepare("insert into t values ('x', 1)").reader, false)
})

test('one text is prepared once; after many others it is prepared again', () => {
  const prepare = makePrepare(open())
  const first = prepare('select 0')
  assert.equal(prepare('select 0'), first)
  for (let n = 1; n < 400; n++) prepare(`select ${n}`)
  assert.equal(prepare('select 0'), first)
  for (let n = 1000; n < 1400; n++) prepare(`select ${n}`)
  assert.notEqual(prepare('select 0'), first)
})

test('only text, exact integers and null are kept', () => {
  const prepare = makePrepare(open())
  const insert = prepare('insert into t values (?, ?)')
  const bad = [2 ** 53, -(2 ** 53), 1.5, Number.NaN, Number.POSITIVE_INFINITY]
  for (const n of bad) assert.throws(() => insert.run(['x', n]), RangeError)
  for (const v of [true, 1n, undefined, {}, new Date(0)]) assert.throws(() => insert.run([v, 1]), TypeError)
  insert.run(['x', Number.MAX_SAFE_INTEGER])
  insert.run([null, null])
  assert.deepEqual(
    prepare('select n from t')
      .all([])
      .map((row) => (row as { n: unknown }).n),
    [Number.MAX_SAFE_INTEGER, null],
  )
})

test('an integer that JavaScript cannot hold is refused, not rounded', () => {
  const prepare = makePrepare(open())
  prepare("insert into t values ('big', 9007199254740993)").run([])
  assert.throws(() => prepare('select n from t').all([]), RangeError)
})

test('a closed gate refuses every query', () => {
  const gate = makeGate(makePrepare(open()))
  gate.prepare('select 1').all([])
  gate.close()
  assert.throws(() => gate.prepare('select 1'), /has ended/)
})
