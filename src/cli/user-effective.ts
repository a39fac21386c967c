/** What a user can do, for a person: by family, wrapped to the terminal; or about single commands. */
import { COMMANDS } from '../domain/acl/command-table.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { details, printable, table } from './text.ts'
import type { EffectiveView } from './views.ts'

/** Categories that say how a command runs or whether it writes: a family only where a command has no other. */
const broad = new Set(['fast', 'slow', 'blocking', 'admin', 'dangerous', 'read', 'write', 'keyspace'])
const fallbacks = ['keyspace', 'write', 'read']

function familyOf(typed: string): string {
  const categories = COMMANDS.get(typed.toLowerCase().replace(' ', '|'))?.categories ?? []
  return categories.find((each) => !broad.has(each)) ?? fallbacks.find((each) => categories.includes(each)) ?? 'other'
}

/** Words with commas between, in lines of at most `width` characters. */
function wrapped(words: readonly string[], indent: string, width: number): string {
  const lines: string[] = []
  let line = ''
  for (const [i, word] of words.entries()) {
    const piece = printable(word) + (i === words.length - 1 ? '' : ',')
    if (line !== '' && indent.length + line.length + 1 + piece.length > width) {
      lines.push(line)
      line = piece
    } else line = line === '' ? piece : `${line} ${piece}`
  }
  return [...lines, line].map((each) => `${indent}${each}\n`).join('')
}

function byFamily(title: string, commands: readonly string[], width: number): string {
  const families = Map.groupBy(commands, familyOf)
  const parts = [...families].sort(([a], [b]) => (a < b ? -1 : 1))
  const text = parts.map(([family, own]) => `  ${family}\n${wrapped(own, '    ', width)}`)
  return `${title} (${commands.length})\n${text.join('')}`
}

/** All of it. @param width of the terminal */
export function effectiveText({ allowed, denied, notes, ...rest }: EffectiveView, width: number): string {
  // The families' counts say in numbers what the lists say by name.
  const facts = Object.fromEntries(Object.entries(rest).filter(([field]) => field !== 'families'))
  const said = notes.map((note) => `note: ${printable(note)}\n`).join('')
  const refused = denied.map((each) => each.command)
  return `${details(facts)}${said}${byFamily('allowed', allowed, width)}${byFamily('denied', refused, width)}`
}

export type CommandVerdict = { command: string; allowed: boolean; reason: string | null }

/**
 * About one command, and its subcommands.
 * @param words `client setname`, `client|setname`, `GET`
 * @throws CliError (notFound) where the server has none of that name
 */
export function verdictsOn({ allowed, denied }: EffectiveView, words: readonly string[]): CommandVerdict[] {
  const name = words.join(' ').replaceAll('|', ' ').toUpperCase()
  const all: CommandVerdict[] = [
    ...allowed.map((command) => ({ command, allowed: true, reason: null })),
    ...denied.map(({ command, reason }) => ({ command, allowed: false, reason })),
  ]
  const found = all.filter(({ command }) => command === name || command.startsWith(`${name} `))
  if (found.length > 0) return found.sort((a, b) => (a.command < b.command ? -1 : 1))
  throw new CliError(exitCodes.notFound, `The server has no command ${JSON.stringify(name)}`, {
    next: 'Without a command all of them are shown.',
  })
}

export const verdictsText = (verdicts: readonly CommandVerdict[]): string =>
  table(verdicts, [
    { title: 'COMMAND', value: (row) => row.command },
    { title: 'ALLOWED', value: (row) => row.allowed },
    { title: 'REASON', value: (row) => row.reason },
  ])
