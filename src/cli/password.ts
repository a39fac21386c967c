/** Reads a password from a person or a pipe; never from the command line. */
import { createInterface } from 'node:readline'
import { text as readAll } from 'node:stream/consumers'
import { Writable } from 'node:stream'
import type { Context } from './context.ts'
import { CliError, exitCodes, usageError } from './exit-code.ts'

export type PasswordFlags = { passwordStdin?: boolean; passwordPrompt?: boolean }

/** One line without echo. The terminal is in raw mode meanwhile, so that nothing shows what is typed. */
function askHidden(context: Context, prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: context.stdin, output: nowhere, terminal: true, historySize: 0 })
  // Only now: what is typed at once is not shown either.
  context.stderr.write(prompt)
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      lines.removeAllListeners('close')
      lines.close()
      context.stderr.write('\n')
      settle()
    }
    const stop = () => end(() => reject(new CliError(exitCodes.interrupted, 'Interrupted')))
    lines.once('line', (line) => end(() => resolve(line)))
    lines.once('SIGINT', stop)
    lines.once('close', stop)
  })
}

/** The password as the flags say; undefined where none was asked for. Typed twice at a prompt. @throws CliError */
export async function readPassword(context: Context, flags: PasswordFlags): Promise<string | undefined> {
  if (flags.passwordStdin && flags.passwordPrompt)
    throw usageError('Give --password-stdin or --password-prompt, not both')
  if (flags.passwordStdin) {
    const password = (await readAll(context.stdin)).replace(/\r?\n$/, '')
    if (password === '') throw usageError('--password-stdin: standard input is empty')
    return password
  }
  if (!flags.passwordPrompt) return undefined
  if (!context.stdin.isTTY) throw usageError('--password-prompt needs a terminal', 'In a script: --password-stdin')
  const password = await askHidden(context, 'Password: ')
  if (password !== (await askHidden(context, 'The same again: '))) throw usageError('The two passwords differ')
  return password
}

/** Asks for a yes before something final. @returns true where stdin is no terminal: a script meant what it says */
export async function confirmed(context: Context, question: string, expected: string): Promise<boolean> {
  if (!context.stdin.isTTY || !context.stderr.isTTY) return true
  const lines = createInterface({ input: context.stdin, output: context.stderr })
  const answer = await new Promise<string>((resolve) => {
    lines.once('close', () => resolve(''))
    lines.question(`${question} Type ${expected} to go on: `, resolve)
  })
  lines.close()
  return answer.trim() === expected
}
