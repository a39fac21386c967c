/** One word of a POSIX shell, whatever the text holds (a NUL aside, which no word can). */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** One word of a shell, bare where it needs no quotes: for lines that a person reads and pastes. */
export function shellWord(text: string): string {
  return /^[\w./@+-]+$/.test(text) ? text : shellQuote(text)
}
