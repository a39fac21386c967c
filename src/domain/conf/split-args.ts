const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const BACKSLASH = 92
const DOUBLE = 34
const SINGLE = 39
const CONTROL: Record<number, number> = { 110: 10, 114: 13, 116: 9, 98: 8, 97: 7 }

/** Why a line is no list of arguments; never quotes the line, which may hold a secret. */
export type SplitFailure = { failure: string }

type Piece = { bytes: number[]; next: number } | SplitFailure

/**
 * Splits one configuration line the way valkey's `sdssplitargs` does: `"…"` with escapes, `'…'` with `\'` only, and a
 * quote that closes must be followed by white space or the end of the line.
 */
export function splitArgs(line: string): string[] | SplitFailure {
  const source = encoder.encode(line)
  if (source.includes(0)) return { failure: 'a NUL byte' }
  const args: string[] = []
  let at = skipSpace(source, 0)
  while (at < source.length) {
    const piece = readArg(source, at)
    if ('failure' in piece) return piece
    const text = decode(piece.bytes)
    if (text === undefined) return { failure: 'bytes that are not UTF-8' }
    args.push(text)
    at = skipSpace(source, piece.next)
  }
  return args
}

function readArg(source: Uint8Array, start: number): Piece {
  const bytes: number[] = []
  let at = start
  while (at < source.length && !endsBareArg(source[at])) {
    const byte = source[at] as number
    if (byte === DOUBLE || byte === SINGLE) {
      const quoted = byte === DOUBLE ? readDouble(source, at + 1) : readSingle(source, at + 1)
      if ('failure' in quoted) return quoted
      const following = source[quoted.next]
      if (following !== undefined && !isSpace(following)) return { failure: 'text right after a closing quote' }
      return { bytes: [...bytes, ...quoted.bytes], next: quoted.next }
    }
    bytes.push(byte)
    at++
  }
  return { bytes, next: at }
}

function readDouble(source: Uint8Array, start: number): Piece {
  const bytes: number[] = []
  let at = start
  while (at < source.length) {
    const byte = source[at] as number
    const escaped = source[at + 1]
    if (byte === DOUBLE) return { bytes, next: at + 1 }
    if (byte !== BACKSLASH || escaped === undefined) {
      bytes.push(byte)
      at++
      continue
    }
    const hex = escaped === 120 ? hexByte(source, at + 2) : undefined
    bytes.push(hex ?? CONTROL[escaped] ?? escaped)
    at += hex === undefined ? 2 : 4
  }
  return { failure: 'unbalanced quotes' }
}

function readSingle(source: Uint8Array, start: number): Piece {
  const bytes: number[] = []
  let at = start
  while (at < source.length) {
    const byte = source[at] as number
    if (byte === SINGLE) return { bytes, next: at + 1 }
    const escaped = byte === BACKSLASH && source[at + 1] === SINGLE
    bytes.push(escaped ? SINGLE : byte)
    at += escaped ? 2 : 1
  }
  return { failure: 'unbalanced quotes' }
}

function hexByte(source: Uint8Array, at: number): number | undefined {
  const digits = String.fromCharCode(source[at] ?? 0, source[at + 1] ?? 0)
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : undefined
}

function decode(bytes: number[]): string | undefined {
  try {
    return decoder.decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}

function skipSpace(source: Uint8Array, start: number): number {
  let at = start
  while (at < source.length && isSpace(source[at])) at++
  return at
}

/** C's isspace. */
function isSpace(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13)
}

/** Valkey's splitter ends a bare argument at fewer characters than it skips between arguments: not at \v and \f. */
function endsBareArg(byte: number | undefined): boolean {
  return byte === 32 || byte === 9 || byte === 10 || byte === 13
}
