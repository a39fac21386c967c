/** Files of one server, each whole or not at all, and closed to everybody else. */
import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { chmod, lstat, mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StepError } from '../../domain/plan/step-error.ts'
import type { ServerLayout } from '../../domain/server-plan.ts'

export const dirMode = 0o700
export const fileMode = 0o600
const othersBits = 0o077
const anybodyWrites = 0o002
const sticky = 0o1000

/**
 * Puts a file in place by rename. A leftover of a write that was killed has a fixed name, so it is overwritten and never
 * piles up. Nothing is synced: what a power cut leaves empty or old is observed as drift and written again.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`
  await writeFile(fresh, text, { mode: fileMode })
  await rename(fresh, path)
}

/** Creates a directory with its parents where it is missing. */
export const ensureDir = (path: string) => mkdir(path, { recursive: true, mode: dirMode })

/**
 * Creates a directory of ours or checks that it is: owned by this user, closed to others, no link, and nobody else's to
 * move away. Cheap enough to be repeated before each start.
 * @throws StepError `directory-unsafe`
 */
export function ensureOwnDir(path: string): void {
  mkdirSync(path, { recursive: true, mode: dirMode })
  refuseStrangersAbove(path)
  const stat = lstatSync(path)
  const uid = process.getuid?.()
  if (!stat.isDirectory()) throw unsafeDirectory(path, 'is no directory of its own (a link, perhaps)')
  if (uid !== undefined && stat.uid !== uid) throw unsafeDirectory(path, `belongs to user ${stat.uid}, not to ${uid}`)
  if ((stat.mode & othersBits) !== 0) chmodSync(path, dirMode)
}

/**
 * Whoever owns a directory above ours, or may rename in it, can put another one in our place and be sent the admin's
 * password over a socket of their own: below /tmp that is anybody who comes first. What the owner of `/` has is trusted
 * (in a user namespace that is not 0).
 */
function refuseStrangersAbove(path: string): void {
  const trusted = new Set([0, process.getuid?.(), lstatSync('/').uid])
  for (let dir = dirname(realpathSync(path)); ; dir = dirname(dir)) {
    const { uid, mode } = lstatSync(dir)
    if (!trusted.has(uid)) throw unsafeDirectory(path, `lies in ${dir}, which belongs to user ${uid}`)
    if ((mode & anybodyWrites) !== 0 && (mode & sticky) === 0)
      throw unsafeDirectory(path, `lies in ${dir}, where every user may rename it`)
    if (dir === '/') return
  }
}

const unsafeDirectory = (path: string, why: string) =>
  new StepError('directory-unsafe', `${path} ${why}`, { remedy: 'remove it or choose another directory' })

/** What a server's directory holds of ours; `data` is valkey's, and only its directory is judged. */
const modesOf = (place: ServerLayout): [path: string, mode: number][] => [
  [place.dir, dirMode],
  [dirname(place.acl), dirMode],
  [place.tlsDir, dirMode],
  [place.dataDir, dirMode],
  [place.conf, fileMode],
  [place.acl, fileMode],
  [place.cert, fileMode],
  [place.key, fileMode],
  [place.ca, fileMode],
  [place.log, fileMode],
]

/** Files and directories that others than their owner may read, write or enter. */
export async function tooOpen(place: ServerLayout): Promise<string[]> {
  const open = await Promise.all(
    modesOf(place).map(async ([path]) => {
      const stat = await lstat(path).catch(ifMissing)
      return stat && !stat.isSymbolicLink() && (stat.mode & othersBits) !== 0 ? [path] : []
    }),
  )
  return open.flat()
}

/** Closes what `tooOpen` names. */
export async function closeModes(place: ServerLayout): Promise<void> {
  const open = new Set(await tooOpen(place))
  const toClose = modesOf(place).filter(([path]) => open.has(path))
  await Promise.all(toClose.map(([path, mode]) => chmod(path, mode)))
}

/** For `.catch`: undefined where a path is not there, every other failure as it is. */
export function ifMissing(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
  throw error
}
