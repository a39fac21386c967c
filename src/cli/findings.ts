/** Findings for a person, or as JSON. */
import { asCalled } from './command-name.ts'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { printable } from './text.ts'
import type { Finding } from '../domain/finding.ts'

const marks = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' }

/**
 * Prints them.
 * @param again the command that made them, to run once more
 * @throws CliError (failed) where something must be fixed
 */
export function showFindings(context: Context, json: boolean, findings: readonly Finding[], again: string): void {
  const failed = findings.filter((finding) => finding.status === 'fail').length
  const text = findings.map(
    ({ check, status, detail, fix }) =>
      `${marks[status]}  ${check}: ${printable(detail)}\n${fix === null ? '' : `      ${printable(asCalled(fix, context.command))}\n`}`,
  )
  context.stdout.write(json ? `${JSON.stringify({ ok: failed === 0, checks: findings }, null, 2)}\n` : text.join(''))
  if (failed > 0)
    throw new CliError(exitCodes.failed, `${failed} of ${findings.length} checks failed`, {
      next: `Fix them as said above, then run ${again} again.`,
    })
}
