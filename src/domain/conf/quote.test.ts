import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { quoteArg } from './quote.ts'
import { splitArgs } from './split-args.ts'

/** Any text that UTF-8 can hold, and bytes as latin-1 characters; NUL aside, which no line can carry bare. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...`ab "'\\\n\r\t\x07\x08\x0b\x7f\xff\xa0#x0é€😀`) }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
)

test('a quoted value is one line of printable ASCII and splits back into the same value', () => {
  fc.assert(
    fc.property(anyText, (value) => {
      const quoted = quoteArg(value)
      assert.match(quoted, /^[\x20-\x7e]+$/)
      assert.deepEqual(splitArgs(quoted), [value])
    }),
    { numRuns: 2000 },
  )
})

test('neighbours stay apart', () => {
  fc.assert(
    fc.property(fc.array(anyText), (values) => {
      assert.deepEqual(splitArgs(values.map(quoteArg).join(' ')), values)
    }),
  )
})

test('a value stays bare only where nothing in it means anything', () => {
  assert.equal(quoteArg('/srv/x/valkey.conf'), '/srv/x/valkey.conf')
  assert.equal(quoteArg(''), '""')
  assert.equal(quoteArg('a b'), '"a b"')
  assert.equal(quoteArg('# x'), '"# x"')
  assert.equal(quoteArg('a"b\\'), '"a\\"b\\\\"')
  assert.equal(quoteArg('x\nrequirepass y'), '"x\\nrequirepass y"')
  assert.equal(quoteArg('\0é'), '"\\x00\\xc3\\xa9"')
})

test('half of a surrogate pair has no bytes and is refused', () => {
  assert.throws(() => quoteArg('\ud800'), TypeError)
})
