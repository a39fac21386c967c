const encoder = new TextEncoder()

/** Characters that neither valkey's splitter nor its comment rule gives a meaning to. */
const PLAIN = /^[A-Za-z0-9_./:@+,=*-]+$/

const ESCAPES: Record<number, string> = { 7: '\\a', 8: '\\b', 9: '\\t', 10: '\\n', 13: '\\r', 34: '\\"', 92: '\\\\' }

/**
 * One argument of a configuration line, quoted as valkey's own sds representation (`"…"` with `\xNN` escapes), so that
 * it reads back as exactly the same UTF-8 bytes whatever it holds; the result is always one line of printable ASCII.
 * Values made only of letters, digits and `_./:@+,=*-` stay bare, which keeps the file legible.
 */
export function quoteArg(text: string): string {
  if (PLAIN.test(text)) return text
  if (!text.isWellFormed()) throw new TypeError('a configuration value holds half of a surrogate pair')
  let quoted = '"'
  for (const byte of encoder.encode(text)) quoted += ESCAPES[byte] ?? printable(byte)
  return `${quoted}"`
}

function printable(byte: number): string {
  return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}
