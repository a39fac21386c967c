/** One word of a POSIX shell, whatever the text holds (a NUL aside, which no word can). */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
