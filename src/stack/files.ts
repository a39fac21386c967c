/** A stack's files on disk: whole, with their modes and owners, and never overwritten by accident. */
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { type FilePlacement, writeWholeFile } from '../runtime/whole-file.ts'
import { addFile, type Report, shownPath } from './report.ts'

/** Modes by what a file is. */
export const modes = { secret: 0o600, plain: 0o644, program: 0o755, secretDir: 0o700, dir: 0o755 } as const

/** A mode and, where there is one, an owner. */
export const placed = (mode: number, owner: FilePlacement['owner'] | undefined): FilePlacement =>
  owner === undefined ? { mode } : { mode, owner }

/**
 * What can go wrong with a file, as a person reads it.
 * @throws CliError (failed) in place of the system's error
 */
export function told<T>(what: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || error instanceof CliError) throw error
    throw new CliError(exitCodes.failed, `${what}: ${reasons[code] ?? code}`, {
      next: 'Mend that and run the same command again: it goes on where it was.',
    })
  }
}

const reasons: Record<string, string> = {
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'part of the path is no directory',
  EISDIR: 'there is a directory of that name',
}

/** The text of a file; undefined where there is none. */
export function readText(path: string): string | undefined {
  // Not existsSync: what may not be looked at is not missing.
  return told(`cannot read ${shownPath(path)}`, () =>
    statSync(path, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(path, 'utf8'),
  )
}

/** Makes a directory where it is missing; the mode is its own, its parents are open to others. */
export function ensureDir(path: string, mode: number): void {
  told(`cannot make ${shownPath(path)}`, () => {
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) return
    mkdirSync(dirname(path), { recursive: true, mode: modes.dir })
    mkdirSync(path, { mode })
    chmodSync(path, mode)
  })
}

/** Writes a file and says so. */
export function writeText(report: Report, path: string, text: string, placement: FilePlacement): void {
  ensureDir(dirname(path), modes.dir)
  told(`cannot write ${shownPath(path)}`, () => writeWholeFile(path, text, placement))
  addFile(report, path, 'wrote')
}

/** Sets right the mode and owner of a file whose text stays. */
export function keepText(
  report: Report,
  path: string,
  { mode, owner }: FilePlacement,
  why: string | null = null,
): void {
  told(`cannot change ${shownPath(path)}`, () => {
    const stat = statSync(path)
    if ((stat.mode & 0o777) !== mode) chmodSync(path, mode)
    if (owner !== undefined && (stat.uid !== owner.uid || stat.gid !== owner.gid)) chownSync(path, owner.uid, owner.gid)
  })
  addFile(report, path, 'kept', why)
}

/**
 * A file whose whole text follows from the spec. One that says something else is a person's edit, and stays.
 * @param force writes it anew all the same
 * @returns whether the file is now as it should be
 */
export function ensureText(
  report: Report,
  path: string,
  text: string,
  { force, ...placement }: FilePlacement & { force: boolean },
): boolean {
  const present = readText(path)
  if (present === text) keepText(report, path, placement)
  else if (present === undefined || force) writeText(report, path, text, placement)
  else {
    addFile(report, path, 'differs', 'it is not what stack.yaml says')
    return false
  }
  return true
}

/** Mode and owner that a file has, for one that is written anew in its place. */
export function placementOf(path: string): FilePlacement {
  const { mode, uid, gid } = statSync(path)
  return { mode: mode & 0o777, ...(process.getuid?.() === 0 ? { owner: { uid, gid } } : {}) }
}

/** Whether others than its owner may read, write or enter a directory. */
export const isOpen = (dir: string): boolean => (statSync(dir).mode & 0o077) !== 0
