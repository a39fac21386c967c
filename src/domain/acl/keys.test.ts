import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_PATTERN_STARS, parseChannelPattern, parseKeyPattern } from './keys.ts'

const keyOf = (value: string): string => {
  const parsed = parseKeyPattern(value)
  return parsed.ok ? parsed.value : parsed.code
}
const channelOf = (value: string | null | undefined): string | null => {
  const parsed = parseChannelPattern(value)
  return parsed.ok ? parsed.value : parsed.code
}

test('key patterns: one glob with its sigil, * for all', () => {
  for (const pattern of ['~*', '~app:*', '~{tag}:?[a-z]', '~a*b*c', '~%', '~a(b)', '~"x"'])
    assert.equal(keyOf(pattern), pattern)
  assert.equal(keyOf('*'), '~*')
})

test('key patterns: everything else is refused with its code', () => {
  const refused: Record<string, string[]> = {
    empty: ['', '~'],
    wrong_sigil: [
      '%',
      '%R~x',
      '%RW~*',
      '%W~x',
      '&*',
      '(~x)',
      '(+get',
      'app:*',
      '+get',
      '>pw',
      'allkeys',
      'resetkeys',
      '#x',
    ],
    several_patterns: ['~a ~b', ' ~a', '~a ', '~* +@all'],
    not_printable: ['~a\t~b', '~a\n', '~a\nuser x on nopass', '~\0', '~é', '~\u007f', '~\u202ea', '~a\r'],
    too_long: [`~${'a'.repeat(256)}`, `~${'*'.repeat(1_000)}`],
    too_many_stars: [`~${'*'.repeat(MAX_PATTERN_STARS + 1)}`, `~${'a*'.repeat(100)}`],
  }
  for (const [code, values] of Object.entries(refused)) {
    for (const value of values) assert.equal(keyOf(value), code, JSON.stringify(value.slice(0, 30)))
  }
  assert.equal(keyOf(`~${'a'.repeat(255)}`), `~${'a'.repeat(255)}`)
  assert.equal(keyOf(`~${'a*'.repeat(MAX_PATTERN_STARS)}`), `~${'a*'.repeat(MAX_PATTERN_STARS)}`)
})

test('channel patterns: with or without the sigil, null is none', () => {
  assert.equal(channelOf('&news:*'), '&news:*')
  assert.equal(channelOf('news:*'), '&news:*')
  assert.equal(channelOf('*'), '&*')
  assert.equal(channelOf(null), null)
  assert.equal(channelOf(undefined), null)
  for (const value of ['~news', '%R~x', '(&x)', '+get', '@all', '>pw'])
    assert.equal(channelOf(value), 'wrong_sigil', value)
  for (const value of ['', '&']) assert.equal(channelOf(value), 'empty')
  assert.equal(channelOf('&a &b'), 'several_patterns')
  assert.equal(channelOf('a\nb'), 'not_printable')
  assert.equal(channelOf('*'.repeat(20)), 'too_many_stars')
})
