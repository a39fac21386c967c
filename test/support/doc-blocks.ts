/** Shell sessions in documents: ```console blocks of `$ command` lines with what each printed. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'

/** One command of a block, and the lines that follow it. `...` stands for any lines. */
export type Shown = { command: string; output: string[] }

/**
 * The console blocks of a document that are marked runnable by a comment on the line before.
 * @param mark the comment's text, `runnable`
 */
export function consoleBlocks(markdown: string, mark: string): Shown[] {
  const found = markdown.matchAll(/^<!-- ([a-z: ]+) -->\n```console\n([\s\S]*?)^```$/gm)
  return [...found].filter(([, text]) => text === mark).flatMap(([, , body = '']) => commandsOf(body))
}

function commandsOf(body: string): Shown[] {
  const shown: Shown[] = []
  for (const line of body.trimEnd().split('\n')) {
    const last = shown.at(-1)
    if (line.startsWith('$ ')) shown.push({ command: line.slice(2), output: [] })
    else if (last === undefined) throw new Error(`a block begins without a command: ${line}`)
    else if (last.output.length === 0 && last.command.endsWith('\\')) last.command += `\n${line}`
    else last.output.push(line)
  }
  return shown
}

/** What differs from run to run, by kind. The order matters: ids hold digits. */
const changing: [RegExp, string][] = [
  [/\b(ins|srv|usr|op|ten|shd|nod|key|req)_[0-9a-f]{32}\b/g, '$1_ID'],
  [/\bvalkeep-session-[0-9a-f]{16}\b/g, 'SESSION'],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'],
  [/\(\d+(\.\d)? m?s\)/g, '(DURATION)'],
  [/for \d+\.\d s at most/g, 'for DURATION at most'],
  [/\b[A-Za-z0-9]{32}\b/g, 'PASSWORD'],
  [/(http:\/\/127\.0\.0\.1:)\d+/g, '$1PORT'],
  [/\b\d{5}\b(?! of)/g, 'NUMBER'],
  [/^(pid|process_id:?|Stopping the platform \(process)\s+\d+/g, '$1 NUMBER'],
  [/of \d+ MB/g, 'of CAPACITY MB'],
  // It ends after the command that it is the end of.
  [/(session-end +)(pending|running)/, '$1succeeded'],
  [/ \d+[smhd](?= |$)/g, ' AGE'],
  [/\s+/g, ' '],
]

/** A line with everything that changes from run to run replaced by its kind. */
export const stable = (line: string): string =>
  changing.reduce((text, [pattern, kind]) => text.replace(pattern, kind), line.trimEnd())

/** Whether what was printed is what is shown, `...` aside. */
export function matches(shown: readonly string[], printed: readonly string[]): boolean {
  const [first, ...rest] = shown
  if (first === undefined) return printed.length === 0
  if (first.trim() === '...') return printed.some((_, i) => matches(rest, printed.slice(i))) || matches(rest, [])
  const [line, ...others] = printed
  return line !== undefined && stable(first) === stable(line) && matches(rest, others)
}

/** Runs commands one after the other in one shell. @returns what each printed, both streams together, by line */
export async function runInShell(
  place: { cwd: string; env: Record<string, string | undefined> },
  shown: readonly Shown[],
): Promise<string[][]> {
  const mark = '--- the next command ---'
  const script = ['exec 2>&1', ...shown.map(({ command }) => `${command}\necho '${mark}'`)].join('\n')
  const shell = spawn('bash', ['-s'], place)
  shell.stdin.end(script)
  let text = ''
  for await (const chunk of shell.stdout) text += chunk
  return text
    .split(`${mark}\n`)
    .slice(0, -1)
    .map((part) => (part === '' ? [] : part.replace(/\n$/, '').split('\n')))
}

/** Fails, with both, where what was printed is not what is shown. */
export function assertPrinted({ command, output }: Shown, printed: readonly string[]): void {
  assert.ok(
    matches(output, printed),
    `$ ${command}\nshown:\n${output.map(stable).join('\n')}\nprinted:\n${printed.map(stable).join('\n')}`,
  )
}
