/** What to type next, where a command knows better than the catalogue of problems. */
import { CliError } from './exit-code.ts'

/**
 * Waits; a problem gets the next step that this command has for it.
 * @param next by the problem's code
 */
export async function withNext<T>(work: Promise<T>, next: Readonly<Record<string, string>>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof CliError) || error.code === null || !Object.hasOwn(next, error.code)) throw error
    const { message, reasons, status, code } = error
    throw new CliError(error.exitCode, message, { reasons, status, code, next: next[error.code] ?? null })
  }
}
