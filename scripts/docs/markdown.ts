/** What the generated documents have in common. */

export const made = '<!-- Made by scripts/gen-docs.ts; changes here are lost. -->\n'

/** A Markdown table's cell. */
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

export const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |\n`).join('')

export const code = (text: string): string => `\`${text}\``

/** As a person types a command: `client|kill` is CLIENT KILL. */
export const typed = (name: string): string => code(name.toUpperCase().replace('|', ' '))
