/** An error as a person or a program reads it. */
import {
  type Application,
  ArgumentScannerError,
  type CommandContext,
  formatMessageForArgumentScannerError,
  generateHelpTextForAllCommands,
} from '@stricli/core'
import type { Context } from './context.ts'
import { CliError, exitCodeOf, exitCodes } from './exit-code.ts'
import { printable } from './text.ts'

/** What happened, why, and what to type next. */
export function errorText(error: unknown): string {
  if (!(error instanceof CliError))
    return `This is a fault of valkeep itself: ${printable((error as Error).stack ?? String(error))}`
  const lines = [`Error: ${error.message}`, ...error.reasons.map((reason) => `  ${reason}`)]
  if (error.next !== null) lines.push(`Next: ${error.next}`)
  return printable(lines.join('\n'))
}

/** The same for `--json`: one line, so that it can be told from the steps before it. */
export function errorJson(error: unknown): string {
  const known = error instanceof CliError
  return JSON.stringify({
    error: known ? error.message : `This is a fault of valkeep itself: ${(error as Error).stack ?? String(error)}`,
    reasons: known ? error.reasons : [],
    next: known ? error.next : null,
    exit_code: exitCodeOf(error),
  })
}

const kebab = (text: string) => text.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const flagName = (text: string) => `--${kebab(text.replace(/^-+/, ''))}`
/** A flag's name, or an argument's placeholder: those are in capitals. */
const named = (text: string) => (/^[a-z]/.test(text) ? flagName(text) : text)
const didYouMean = (corrections: readonly string[]) =>
  corrections.length === 0 ? '' : `; did you mean ${corrections.join(' or ')}?`

/** What is wrong on the command line, with flags as they are typed. */
export function parseErrorMessage(error: unknown): string {
  if (!(error instanceof ArgumentScannerError)) return (error as Error).message
  return formatMessageForArgumentScannerError(error, {
    FlagNotFoundError: ({ input, corrections }) =>
      `There is no flag --${input.replace(/^-+/, '')}${didYouMean([...new Set(corrections.map(flagName))])}`,
    ArgumentParseError: ({ externalFlagNameOrPlaceholder, input, exception }) =>
      `${named(externalFlagNameOrPlaceholder)} ${JSON.stringify(input)}: ${(exception as Error).message}`,
    UnsatisfiedFlagError: ({ externalFlagName }) => `${flagName(externalFlagName)} needs a value`,
    UnexpectedFlagError: ({ externalFlagName }) => `${flagName(externalFlagName)} is given twice`,
    UnsatisfiedPositionalError: ({ placeholder }) => `${placeholder} is missing`,
    UnexpectedPositionalError: ({ expectedCount, input }) =>
      `${JSON.stringify(input)} is one argument too many: ${expectedCount === 0 ? 'none is' : `${expectedCount} may be`} given`,
  })
}

/** A wrong command line, with how it is right. @param words as given, without the program's name */
export function usageErrorOf(
  app: Application<Context>,
  words: readonly string[],
  messages: readonly string[],
): CliError {
  const help = new Map(generateHelpTextForAllCommands(app as unknown as Application<CommandContext>))
  const names = words.slice(0, words.findIndex((word) => !/^[a-z]+$/.test(word)) >>> 0)
  const routes = names.map((_, i) => ['valkeep', ...names.slice(0, i + 1)].join(' '))
  const command = routes.find((route) => help.has(route))
  const usage = command === undefined ? [] : (help.get(command)?.split('\n\n')[0]?.split('\n').slice(1) ?? [])
  const group = routes.findLast((route) => [...help.keys()].some((name) => name.startsWith(`${route} `)))
  return new CliError(exitCodes.usage, messages.join('; '), {
    reasons: usage.filter((line) => !line.endsWith('--help')).map((line) => `usage: ${line.trim()}`),
    next: `${command ?? group ?? 'valkeep'} --help`,
  })
}
