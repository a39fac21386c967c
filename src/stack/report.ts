/** What a stack command did, file by file, for a person and for `--json`. */
import { relative } from 'node:path'

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

export function addFile(report: Report, path: string, action: FileAction, why: string | null = null): void {
  report.files.push({ path: shownPath(path), action, why })
}

const words: Record<FileAction, string> = { wrote: 'wrote', kept: 'kept', differs: 'kept (differs)' }

/** One line a file. */
export const reportText = ({ files }: Report): string =>
  files.map(({ path, action, why }) => `${words[action]} ${path}${why === null ? '' : `: ${why}`}\n`).join('')
