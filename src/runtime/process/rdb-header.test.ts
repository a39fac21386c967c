import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { opens, parseRdbHeader, type RdbHeader } from './rdb-header.ts'

/** As 8.0.1 and 9.1.2 write it: valkey-ver, an 8 bit integer, then what is given. */
const head = (magic: string, version: string, rest: number[]) =>
  Buffer.concat([
    Buffer.from(magic),
    Buffer.from([0xfa, 10]),
    Buffer.from('valkey-ver'),
    Buffer.from([version.length]),
    Buffer.from(version),
    Buffer.from([0xfa, 10]),
    Buffer.from('redis-bits'),
    Buffer.from([0xc0, 0x40]),
    Buffer.from(rest),
  ])

describe('RDB header', () => {
  it('tells format, writer and whether anything follows', () => {
    const blank = parseRdbHeader(head('REDIS0011', '8.0.1', [0xff, 1, 2, 3]))
    assert.deepEqual(blank, { magic: 'REDIS', format: 11, writtenBy: '8.0.1', blank: true })
    const full = parseRdbHeader(head('VALKEY080', '9.1.2', [0xfe, 0]))
    assert.deepEqual(full, { magic: 'VALKEY', format: 80, writtenBy: '9.1.2', blank: false })
  })

  it('takes nothing else for an RDB, and no part of one for blank', () => {
    for (const text of ['', 'REDIS', 'REDIS001', 'VALKEYabc', '*2\r\n$6\r\nSELECT']) {
      assert.equal(parseRdbHeader(Buffer.from(text)), 'unreadable')
    }
    const whole = head('REDIS0011', '8.0.1', [0xff])
    for (let length = 9; length < whole.length; length++) {
      const cut = parseRdbHeader(whole.subarray(0, length))
      assert.ok(cut !== 'unreadable' && !cut.blank, `cut at ${length}`)
    }
  })

  it('knows which engine opens which', () => {
    const redis = (format: number): RdbHeader => ({ magic: 'REDIS', format, writtenBy: null, blank: false })
    const valkey = (format: number): RdbHeader => ({ magic: 'VALKEY', format, writtenBy: null, blank: false })
    assert.deepEqual(
      [redis(11), redis(12), valkey(80)].map((h) => opens('8.1.1', h)),
      [true, false, false],
    )
    assert.deepEqual(
      [redis(11), redis(12), valkey(80), valkey(81)].map((h) => opens('9.1.2', h)),
      [true, false, true, false],
    )
  })
})
