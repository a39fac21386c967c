import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitArgs } from './split-args.ts'

const cases: [string, string[]][] = [
  ['', []],
  ['save 3600 1', ['save', '3600', '1']],
  ['  a\t b  ', ['a', 'b']],
  [`bind "a b" ''`, ['bind', 'a b', '']],
  [`x 'it\\'s' 'a\\nb'`, ['x', "it's", 'a\\nb']],
  ['x "\\x41\\n\\r\\t\\a\\b\\q\\"\\\\"', ['x', 'A\n\r\t\x07\bq"\\']],
  ['x "\\xZZ"', ['x', 'xZZ']],
  ['x ab"cd"', ['x', 'abcd']],
  ["x ab'cd' e", ['x', 'abcd', 'e']],
  ['x a\vb', ['x', 'a\vb']],
  ['x \v b', ['x', 'b']],
  ['x "é\\xc3\\xa9"', ['x', 'éé']],
]

for (const [line, args] of cases) {
  test(`splits ${JSON.stringify(line)}`, () => assert.deepEqual(splitArgs(line), args))
}

for (const line of ['x "a', "x 'a", 'x "a"b', "x 'a'b", 'x "a\\', 'x "\\xff"', 'x \0 secret']) {
  test(`refuses ${JSON.stringify(line)} without quoting it`, () => {
    const result = splitArgs(line)
    assert.ok(!Array.isArray(result))
    assert.ok(!result.failure.includes('secret'))
  })
}
