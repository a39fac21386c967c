/** A file that is there whole or not at all, and stays over a power cut. */
import { closeSync, fchmodSync, fchownSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** @property owner whom the file is handed to; only root can */
export type FilePlacement = { mode: number; owner?: { uid: number; gid: number } }

/**
 * Writes under another name, syncs, then renames. Mode and owner are right before the file has its name.
 * A leftover of a write that was killed is removed, never opened.
 */
export function writeWholeFile(path: string, text: string, { mode, owner }: FilePlacement): void {
  const temporary = `${path}.${process.pid}.tmp`
  rmSync(temporary, { force: true })
  const fd = openSync(temporary, 'wx', 0o600)
  try {
    writeFileSync(fd, text)
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid)
    fchmodSync(fd, mode)
    fsyncSync(fd)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
  const dir = openSync(dirname(path), 'r')
  fsyncSync(dir)
  closeSync(dir)
}
