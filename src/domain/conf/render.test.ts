import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ConfSyntaxError, parseConf } from './parse.ts'
import { overlay, renderConf } from './render.ts'

const value = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
  )
  .filter((text) => !text.includes('\0'))
const directive = fc.record(
  {
    name: fc.stringMatching(/^[a-z][a-z0-9-]{0,30}$/),
    args: fc.array(value, { minLength: 1, maxLength: 5 }),
  },
  { noNullPrototype: true },
)

test('parse(render(x)) is x', () => {
  fc.assert(
    fc.property(fc.array(directive), (directives) => {
      const text = renderConf(directives)
      assert.deepEqual(parseConf(text), directives)
      assert.equal(text.split('\n').length, directives.length + 2)
    }),
    { numRuns: 1000 },
  )
})

test('whatever a line of a file holds, parsing ends in directives or in an error that tells the line', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...`ab "'\\\n#\0x4é`) }), (text) => {
      try {
        parseConf(text)
      } catch (error) {
        assert.ok(error instanceof ConfSyntaxError)
        assert.ok(error.line >= 1 && error.line <= text.split('\n').length)
      }
    }),
  )
})

test('comments stand on lines of their own; names are told in lower case', () => {
  assert.deepEqual(parseConf('# a\n\r\n  # b\nSave ""  # x\n\tPORT 0\r\n'), [
    { name: 'save', args: ['', '#', 'x'] },
    { name: 'port', args: ['0'] },
  ])
})

test('an error names the line and not what stands there', () => {
  assert.throws(() => parseConf('port 0\nprimaryauth "hunter2'), { line: 2, message: 'line 2: unbalanced quotes' })
})

test('what no file can carry is refused', () => {
  const unwritable = [
    { name: 'port 0\nrequirepass', args: ['x'] },
    { name: '', args: ['x'] },
    { name: 'save', args: [] },
    { name: 'dbfilename', args: ['a\0b'] },
    { name: 'dbfilename', args: ['\udc00'] },
  ]
  for (const one of unwritable) assert.throws(() => renderConf([one]), TypeError)
})

test('a later layer replaces every line of a name', () => {
  const merged = overlay(
    [
      { name: 'save', args: ['1', '1'] },
      { name: 'hz', args: ['10'] },
      { name: 'save', args: ['2', '2'] },
    ],
    [{ name: 'save', args: [''] }],
    [{ name: 'port', args: ['0'] }],
  )
  assert.deepEqual(merged, [
    { name: 'save', args: [''] },
    { name: 'hz', args: ['10'] },
    { name: 'port', args: ['0'] },
  ])
})
