/** The grammar of `key_pattern` and `channel_pattern`: exactly one pattern each, with its sigil. */

/** Bytes of a pattern, sigil included. */
export const MAX_PATTERN_LENGTH = 256
/** Each further star multiplies the work of every single match inside the server's one thread. */
export const MAX_PATTERN_STARS = 8

export type PatternErrorCode =
  | 'empty'
  | 'too_long'
  | 'several_patterns'
  | 'not_printable'
  | 'wrong_sigil'
  | 'too_many_stars'

export type PatternError = { ok: false; code: PatternErrorCode; reason: string }

export type KeyPatternResult = { ok: true; value: string } | PatternError
export type ChannelPatternResult = { ok: true; value: string | null } | PatternError

const refuse = (code: PatternErrorCode, reason: string): PatternError => ({ ok: false, code, reason })

function checkText(value: string, example: string): PatternError | undefined {
  if (value === '') return refuse('empty', `a pattern must not be empty; write for example ${example}`)
  if (value.length > MAX_PATTERN_LENGTH) {
    return refuse('too_long', `a pattern has at most ${MAX_PATTERN_LENGTH} characters`)
  }
  if (!/^[\x20-\x7e]+$/.test(value)) {
    return refuse('not_printable', 'a pattern is printable ASCII; write ? for any other byte')
  }
  if (value.includes(' ')) return refuse('several_patterns', 'exactly one pattern is accepted, without spaces')
  if ((value.match(/\*/g)?.length ?? 0) > MAX_PATTERN_STARS) {
    return refuse('too_many_stars', `a pattern has at most ${MAX_PATTERN_STARS} stars`)
  }
  return undefined
}

/**
 * Reads a tenant's key pattern: `~app:*`, or `*` for `~*`.
 * Read-only and write-only patterns (`%R~`, `%W~`) are not offered, and a lone `%` crashes the server (facts §2).
 */
export function parseKeyPattern(value: string): KeyPatternResult {
  const error = checkText(value, '~app:*')
  if (error !== undefined) return error
  const pattern = value === '*' ? '~*' : value
  if (!pattern.startsWith('~')) return refuse('wrong_sigil', 'a key pattern begins with ~, for example ~app:*')
  if (pattern === '~') return refuse('empty', 'a key pattern needs a glob after ~, for example ~app:*')
  return { ok: true, value: pattern }
}

/** Reads a tenant's channel pattern: `&news:*`, or `news:*` for it; null is no channels at all. */
export function parseChannelPattern(value: string | null | undefined): ChannelPatternResult {
  if (value === null || value === undefined) return { ok: true, value: null }
  const error = checkText(value, '&news:*')
  if (error !== undefined) return error
  if (/^[~%(+@>#<!-]/.test(value)) {
    return refuse('wrong_sigil', 'a channel pattern begins with &, for example &news:*')
  }
  const pattern = value.startsWith('&') ? value : `&${value}`
  if (pattern === '&') return refuse('empty', 'a channel pattern needs a glob after &, for example &news:*')
  return { ok: true, value: pattern }
}
