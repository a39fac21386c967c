/** One run at a time in a directory: the shell scripts and this program keep each other out by the same directory and file. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { ensureDir, told } from './files.ts'
import { shownPath } from './report.ts'

/** Names of the lock's directory; that of the certificates is covered by a .gitignore of *.key. */
export const lockNames = { secrets: '.new', certs: '.new.key' } as const

/**
 * Takes the lock of a directory. What a killed run left is removed.
 * @param mode of the directory, where it has to be made
 * @returns to be disposed of at the end
 * @throws CliError (conflict) where another run is at work
 */
export function lockDir(dir: string, name: string, mode: number): Disposable {
  ensureDir(dir, mode)
  const lock = join(dir, name)
  if (!take(lock)) {
    const pid = holder(lock)
    if (pid === null || isRunning(pid)) throw held(lock, pid)
    rmSync(lock, { recursive: true, force: true })
    if (!take(lock)) throw held(lock, holder(lock))
  }
  writeFileSync(join(lock, '.pid'), `${process.pid}\n`)
  return { [Symbol.dispose]: () => rmSync(lock, { recursive: true, force: true }) }
}

function take(lock: string): boolean {
  return told(`cannot write in ${shownPath(dirname(lock))}`, () => {
    try {
      mkdirSync(lock, { mode: 0o700 })
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  })
}

/** Who holds it; null where that cannot be told, as in the moment between the two. */
function holder(lock: string): number | null {
  try {
    return Number(/^\d+/.exec(readFileSync(join(lock, '.pid'), 'utf8'))?.[0] ?? Number.NaN) || null
  } catch {
    return null
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process is one all the same.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const held = (lock: string, pid: number | null) =>
  new CliError(
    exitCodes.conflict,
    `${pid === null ? 'Another run' : `Process ${pid}`} is at work in ${shownPath(dirname(lock))}`,
    {
      next: `Wait for it. If nothing of the kind runs: rm -r ${shownPath(lock)}`,
    },
  )
