/** The commands and categories of every supported engine, read from the generated rows. Subcommands are `client|kill`. */
import { engineAtLeast } from '../conf/engine-version.ts'
import { CATEGORY_NAMES, COMMAND_ROWS } from './commands.gen.ts'

/** Where one group of a command's keys stands; argument 0 is the command's own first word, as in COMMAND INFO. */
export type KeySpec = {
  begin: { index: number } | { keyword: string } | 'unknown'
  find: { lastKey: number; step: number } | { countAt: number; firstKey: number; step: number } | 'unknown'
  /** What an ACL key pattern must permit; both false means that the key need only match. */
  reads: boolean
  writes: boolean
}

export type Command = {
  /** Lower case; `container|subcommand` for a subcommand. */
  name: string
  /** First engine version that has it, `9.1`; undefined where every supported engine (8.0 on) does. */
  since: string | undefined
  /** As COMMAND INFO says it: container word included, negative means at least. */
  arity: number
  /** Without `@`, sorted. */
  categories: string[]
  /** AUTH, HELLO, QUIT, RESET: no ACL can take these away. */
  needsNoPermission: boolean
  keys: KeySpec[]
  /** The container's name, for a subcommand. */
  container: string | undefined
  /** Full names, for a container. */
  subcommands: string[]
}

function parseKeySpec(text: string): KeySpec {
  const [from = '', how = '', access = ''] = text.split(':')
  const [a = 0, b = 0, c = 0] = how.slice(1).split(',').map(Number)
  return {
    begin:
      from[0] === 'i' ? { index: Number(from.slice(1)) } : from[0] === 'k' ? { keyword: from.slice(1) } : 'unknown',
    find: how[0] === 'r' ? { lastKey: a, step: b } : how[0] === 'n' ? { countAt: a, firstKey: b, step: c } : 'unknown',
    reads: access.includes('R'),
    writes: access.includes('W'),
  }
}

function parseRows(): Map<string, Command> {
  const table = new Map<string, Command>()
  for (const row of COMMAND_ROWS.trim().split('\n')) {
    const [name = '', since, arity, letters = '', noAuth, keys = '-'] = row.split(' ')
    const bar = name.indexOf('|')
    const command: Command = {
      name,
      since: since === '-' ? undefined : since,
      arity: Number(arity),
      categories: letters === '-' ? [] : Array.from(letters, (letter) => CATEGORIES[letter.charCodeAt(0) - 97] ?? ''),
      needsNoPermission: noAuth === 'n',
      keys: keys === '-' ? [] : keys.split(';').map(parseKeySpec),
      container: bar === -1 ? undefined : name.slice(0, bar),
      subcommands: [],
    }
    table.set(name, command)
    if (command.container !== undefined) table.get(command.container)?.subcommands.push(name)
  }
  return table
}

/** Every category, without `@`; `all` is none of them. */
export const CATEGORIES: readonly string[] = CATEGORY_NAMES.split(' ')

/** Every command by its full lower-case name. */
export const COMMANDS: ReadonlyMap<string, Command> = parseRows()

/**
 * Whether an engine has a command.
 * @param engineVersion as INFO says it: `8.0.1`
 * @throws TypeError where that is no version
 */
export function engineHas(command: Command, engineVersion: string): boolean {
  return command.since === undefined || engineAtLeast(engineVersion, command.since)
}
