/** How the person calls the program, so that what it proposes can be typed as it stands. */
import { shellQuote } from '../domain/shell-quote.ts'

/** A word that a shell takes as it is. */
const plain = /^[\w./~+-]{1,200}$/

/** @param given VALKEEP_COMMAND, set by the launcher of a clone; what is no plain word counts as not set */
export const commandName = (given: string | undefined): string =>
  given !== undefined && plain.test(given) ? given : 'valkeep'

/** The command for one data directory, which it carries unless it is the default one. */
export function commandFor(command: string, home: string, defaultHome: string): string {
  if (home === defaultHome) return command
  return `VALKEEP_HOME=${plain.test(home) ? home : shellQuote(home)} ${command}`
}
