/** What a stack command did, file by file, for a person and for `--json`. */
import { relative } from 'node:path'
import type { Context } from '../cli/context.ts'
import { makeOutput } from '../cli/session.ts'
import { shellWord } from '../domain/shell-quote.ts'

/** `kept`: it is as it should be, or a secret that is not overwritten; `differs`: it is not, and was left all the same. */
export type FileAction = 'wrote' | 'kept' | 'differs'

export type Report = {
  files: { path: string; action: FileAction; why: string | null }[]
  /** What a person should know. */
  notes: string[]
}

export const newReport = (): Report => ({ files: [], notes: [] })

/** A path as a person types it from here. */
export const shownPath = (path: string): string => {
  const near = relative('.', path)
  return near === '' ? '.' : near.startsWith('../..') ? path : near
}

/**
 * A command on a stack as a person types it from here.
 * @param root the stack's directory
 * @param line what follows `valkeep stack`
 */
export function stackCommand(root: string, line: string): string {
  const dir = shownPath(root)
  if (dir === '.') return `valkeep stack ${line}`
  // These two take the directory itself.
  return `valkeep stack ${line}${/^(init|check)\b/.test(line) ? '' : ' --stack'} ${shellWord(dir)}`
}

export function addFile(report: Report, path: string, action: FileAction, why: string | null = null): void {
  report.files.push({ path: shownPath(path), action, why })
}

const words: Record<FileAction, string> = { wrote: 'wrote', kept: 'kept', differs: 'kept (differs)' }

/** One line a file. */
const reportText = ({ files }: Report): string =>
  files.map(({ path, action, why }) => `${words[action]} ${path}${why === null ? '' : `: ${why}`}\n`).join('')

/** Shows what was done and what to know. @param extra further facts of the JSON answer */
export function showReport(
  context: Context,
  json: boolean,
  report: Report,
  extra: { next?: string | null } & Record<string, unknown> = {},
): void {
  const output = makeOutput(context, json)
  const { next = null, ...facts } = extra
  output.show({ ...report, ...facts, next }, () => reportText(report))
  for (const note of report.notes) output.note(note)
  if (next !== null) output.note(`Next: ${next}`)
}
