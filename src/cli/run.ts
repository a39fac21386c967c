/** Runs one command line: what it prints, and the exit code it ends with. */
import { type Application, run } from '@stricli/core'
import { heard, makeApp } from './app.ts'
import { asCalled } from './command-name.ts'
import type { Context, SettingFlag } from './context.ts'
import { errorJson, errorText, usageErrorOf } from './error-report.ts'
import { type ExitCode, exitCodeOf, exitCodes } from './exit-code.ts'

/** `help user create` and `version` are what people try first. */
function asFlags(words: readonly string[]): string[] {
  const [first, ...rest] = words
  if (first === 'help') return [...rest.filter((word) => word !== '--help'), '--help']
  return first === 'version' && rest.length === 0 ? ['--version'] : [...words]
}

const wantsJson = (words: readonly string[]) => {
  const end = words.indexOf('--')
  return words.slice(0, end === -1 ? words.length : end).includes('--json')
}

function report(context: Context, error: unknown, json: boolean): void {
  const text = asCalled(json ? errorJson(error) : errorText(error), context.command)
  const red = !json && context.colour && context.stderr.isTTY
  context.stderr.write(red ? `\u001b[1m\u001b[31m${text}\u001b[39m\u001b[22m\n` : `${text}\n`)
}

/** @param words the command line without the program's name */
export async function runProgram(
  words: readonly string[],
  context: Context,
  program: { settingFlags: readonly SettingFlag[]; version: string },
): Promise<ExitCode> {
  const given = asFlags(words)
  const errors: unknown[] = []
  const misread: string[] = []
  const app: Application<Context> = makeApp(program.settingFlags, program.version, {
    failed: (error) => errors.push(error),
    misread: (message) => misread.push(message),
  })
  // Stricli's own output: help, the version, and what the sink has heard of already.
  const shown = (stream: NodeJS.WriteStream) => ({
    write: (text: string) => {
      if (!text.startsWith(heard)) stream.write(asCalled(text, context.command))
    },
  })
  const own = { ...context.process, stdout: shown(context.stdout), stderr: shown(context.stderr) }
  await run(app, given, { ...context, process: own })
  if (misread.length > 0) errors.push(usageErrorOf(app, given, misread))
  for (const error of errors) report(context, error, wantsJson(given))
  if (errors.length > 0) return exitCodeOf(errors[0])
  // Stricli's own codes are negative: all but what was heard of is a fault of ours.
  return Number(own.exitCode ?? 0) < 0 ? exitCodes.failed : exitCodes.ok
}
