/** Valkey's glob (util.c stringmatchlen), so that a sample key inside or outside a pattern can be named. */

type Token = { kind: 'star' } | { kind: 'any' } | { kind: 'class'; negated: boolean; ranges: [number, number][] }

const literal = (char: string): Token => {
  const code = char.charCodeAt(0)
  return { kind: 'class', negated: false, ranges: [[code, code]] }
}

/** Reads `[…]` from behind its bracket; a class that is not closed ends with the pattern, as in valkey. */
function readClass(glob: string, start: number): { token: Token; next: number } {
  let at = start
  const negated = glob[at] === '^'
  if (negated) at += 1
  const ranges: [number, number][] = []
  for (; at < glob.length && glob[at] !== ']'; at += 1) {
    if (glob[at] === '\\' && at + 1 < glob.length) {
      at += 1
      ranges.push([glob.charCodeAt(at), glob.charCodeAt(at)])
    } else if (glob[at + 1] === '-' && at + 2 < glob.length) {
      const ends = [glob.charCodeAt(at), glob.charCodeAt(at + 2)].sort((a, b) => a - b)
      ranges.push([ends[0] ?? 0, ends[1] ?? 0])
      at += 2
    } else ranges.push([glob.charCodeAt(at), glob.charCodeAt(at)])
  }
  return { token: { kind: 'class', negated, ranges }, next: at + 1 }
}

function tokens(glob: string): Token[] {
  const found: Token[] = []
  for (let at = 0; at < glob.length; ) {
    const char = glob.charAt(at)
    at += 1
    if (char === '*') found.push({ kind: 'star' })
    else if (char === '?') found.push({ kind: 'any' })
    else if (char === '[') {
      const { token, next } = readClass(glob, at)
      found.push(token)
      at = next
    } else if (char === '\\' && at < glob.length) {
      found.push(literal(glob.charAt(at)))
      at += 1
    } else found.push(literal(char))
  }
  return found
}

function accepts(token: Token, code: number): boolean {
  if (token.kind !== 'class') return true
  return token.ranges.some(([from, to]) => from <= code && code <= to) !== token.negated
}

/**
 * Whether an ASCII text matches a glob, as valkey decides it. Time is glob length × text length, whatever the stars.
 * @param glob without its sigil
 */
export function globMatches(glob: string, text: string): boolean {
  if (text === '') return glob === '' // stringmatchlen looks at no star before it has seen a byte
  let reached = new Set([0])
  const parts = tokens(glob)
  const skipStars = (places: Set<number>): Set<number> => {
    for (const place of places) if (parts[place]?.kind === 'star') places.add(place + 1)
    return places
  }
  skipStars(reached)
  for (const char of text) {
    const next = new Set<number>()
    for (const place of reached) {
      const token = parts[place]
      if (token === undefined || !accepts(token, char.charCodeAt(0))) continue
      next.add(token.kind === 'star' ? place : place + 1)
    }
    reached = skipStars(next)
  }
  return reached.has(parts.length)
}

const CANDIDATES = ['valkeep-probe', 'probe', '0', 'Z', '~', '']

/** A short printable text that a glob matches; undefined where there is none (`[]`). */
export function sampleInside(glob: string): string | undefined {
  let sample = ''
  for (const token of tokens(glob)) {
    if (token.kind === 'star') continue
    const code = [...'ax0'].map((char) => char.charCodeAt(0)).find((candidate) => accepts(token, candidate))
    const printable =
      code ?? Array.from({ length: 94 }, (_, i) => i + 33).find((candidate) => accepts(token, candidate))
    if (printable === undefined) return undefined
    sample += String.fromCharCode(printable)
  }
  return sample === '' && glob !== '' ? CANDIDATES[0] : sample
}

/** A text that none of the globs match; undefined where none of some candidates escapes them (`*`). */
export function sampleOutside(globs: readonly string[]): string | undefined {
  return CANDIDATES.find((candidate) => !globs.some((glob) => globMatches(glob, candidate)))
}
