import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCommand, makeDecoder, RespError, RespMalformed } from './resp.ts'

function decode(chunks: readonly Buffer[]): unknown[] {
  const replies: unknown[] = []
  const decoder = makeDecoder((reply) => replies.push(reply))
  for (const chunk of chunks) decoder.write(chunk)
  return replies
}

const examples: [text: string, reply: unknown][] = [
  ['+OK\r\n', 'OK'],
  ['$5\r\na\r\nbc\r\n', 'a\r\nbc'],
  ['$0\r\n\r\n', ''],
  ['$2\r\nü\r\n', 'ü'],
  ['$-1\r\n', null],
  ['_\r\n', null],
  [':-42\r\n', -42],
  [',1.5\r\n', 1.5],
  ['(3492890328409238509324850943850943825024385\r\n', '3492890328409238509324850943850943825024385'],
  ['#t\r\n', true],
  ['=9\r\ntxt:a\r\nbc\r\n', 'a\r\nbc'],
  ['*2\r\n$1\r\na\r\n*-1\r\n', ['a', null]],
  ['~1\r\n:1\r\n', [1]],
  ['%1\r\n$1\r\nk\r\n%0\r\n', Object.assign(Object.create(null), { k: Object.create(null) })],
]
const all = Buffer.from(examples.map(([text]) => text).join('>1\r\n+push\r\n'))

test('every type is read; a push answers nothing', () => {
  for (const [text, reply] of examples) assert.deepEqual(decode([Buffer.from(text)]), [reply], text)
  assert.deepEqual(
    decode([all]),
    examples.map(([, reply]) => reply),
  )
})

test('replies are the same however the bytes are cut', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: all.length }), { maxLength: 20 })
  fc.assert(
    fc.property(cuts, (at) => {
      const bounds = [0, ...at.toSorted((a, b) => a - b), all.length]
      const chunks = bounds.slice(1).map((end, i) => all.subarray(bounds[i], end))
      assert.deepEqual(decode(chunks), decode([all]))
    }),
  )
})

test('errors are values, inside of others too', () => {
  const [top, [inner], blob] = decode([Buffer.from('-ERR no\r\n*1\r\n-NOPERM x\r\n!3\r\nERR\r\n')]) as [
    Error,
    Error[],
    Error,
  ]
  for (const [error, message] of [
    [top, 'ERR no'],
    [inner, 'NOPERM x'],
    [blob, 'ERR'],
  ] as const) {
    assert.ok(error instanceof RespError)
    assert.equal(error.message, message)
  }
})

test('what is no RESP is refused', () => {
  for (const text of ['HTTP/1.1 400\r\n', '$x\r\n', '*99999999999\r\n'])
    assert.throws(() => decode([Buffer.from(text)]), RespMalformed)
})

test('a command carries its bytes as they are', () => {
  const sent = encodeCommand(['SET', 'ü', Buffer.from([13, 10, 0])])
  assert.equal(sent.toString('latin1'), '*3\r\n$3\r\nSET\r\n$2\r\nÃ¼\r\n$3\r\n\r\n\0\r\n')
})

test('gives up on a reply, or a push, that does not end', () => {
  const decoder = makeDecoder(() => undefined)
  decoder.write(Buffer.from('>2\r\n$10\r\ninvalidate\r\n*1\r\n$536870912\r\n'))
  const chunk = Buffer.alloc(4 * 1024 * 1024, 'k')
  for (let mb = 4; mb < 16; mb += 4) decoder.write(chunk)
  assert.throws(() => decoder.write(chunk), { message: /more than 16777216 bytes/ })
})
