import { createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { shellQuote } from '../domain/shell-quote.ts'
import { decrypt, encrypt } from './aes-gcm.ts'
import { VaultError } from './vault-error.ts'

/** Holds the key-encryption keys. A data key goes in, its wrapped form comes out; the keys themselves never do. */
export type KeyProvider = {
  /** The key that wraps from now on. */
  readonly currentKeyId: string
  wrap(dataKey: Buffer): { keyId: string; wrapped: Buffer }
  /** @throws VaultError `wrong-key` where the key is not held or does not open it */
  unwrap(keyId: string, wrapped: Buffer): Buffer
}

const keyBytes = 32
const maxFileBytes = 65_536
const lineFormat = /^([a-z0-9][a-z0-9_-]{0,31}):([A-Za-z0-9+/]{43}=)$/

/**
 * Keys from a file of lines `keyId:base64 of 32 bytes`; the first line is the current key, the others still open what
 * they wrapped. To rotate: put a new line on top, restart, rewrap, then drop the old line.
 * @param path its directory must exist; a link is followed (mounted secrets are links)
 * @param create true only while the store is new: makes the file (0600, one random key) where there is none
 * @throws VaultError `key-file-missing`, `key-file-unsafe`, `key-file-unusable`
 */
export function fileKeyProvider({ path, create = false }: { path: string; create?: boolean }): KeyProvider {
  let text = readKeyFile(path)
  if (text === undefined && create) {
    createKeyFile(path)
    text = readKeyFile(path)
  }
  if (text === undefined) {
    throw new VaultError(
      'key-file-missing',
      `The key file ${path} is missing, and this installation holds secrets sealed with it: nothing can be unsealed. ` +
        'Put the file back from your backup, or name its path in the settings; ' +
        'if it is lost for good, begin again with an empty data directory.',
    )
  }
  if (create) removeLeftovers(path)
  const keys = parseKeys(path, text)
  const [current] = keys
  if (!current) throw unusable(path, 'it holds no key')
  return providerOf(path, current, new Map(keys))
}

function providerOf(
  path: string,
  [currentKeyId, currentKey]: [string, KeyObject],
  keys: Map<string, KeyObject>,
): KeyProvider {
  return {
    currentKeyId,
    wrap(dataKey) {
      return { keyId: currentKeyId, wrapped: encrypt(currentKey, dataKey, wrapAad(currentKeyId)) }
    },
    unwrap(keyId, wrapped) {
      const key = keys.get(keyId)
      if (!key) {
        throw new VaultError(
          'wrong-key',
          `A secret is sealed with key ${JSON.stringify(keyId)}, and ${path} holds ${[...keys.keys()].join(', ')}. ` +
            'Put that key back into the file as a further line.',
        )
      }
      const dataKey = decrypt(key, wrapped, wrapAad(keyId))
      if (dataKey) return dataKey
      throw new VaultError(
        'wrong-key',
        `Key ${keyId} of ${path} does not open a secret that names it: ` +
          'the file holds another key under that id, or the secret was altered.',
      )
    },
  }
}

function wrapAad(keyId: string): Buffer {
  return Buffer.from(`valkeep data key v1\0${keyId}`)
}

/** The file's text; undefined where there is no file. What is checked is the opened file, so it cannot be swapped in between. */
function readKeyFile(path: string): string | undefined {
  let fd: number
  try {
    // O_NONBLOCK: opening a pipe in the file's place must not hang the start.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw unusable(path, `it cannot be opened (${errnoOf(error)})`)
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw unusable(path, 'it is not a regular file')
    const userId = process.geteuid?.()
    if (userId !== undefined && stat.uid !== userId) {
      throw new VaultError(
        'key-file-unsafe',
        `The key file ${path} belongs to user ${stat.uid}, and this is user ${userId}. ` +
          `Run: sudo chown ${userId} ${shellQuote(path)} && sudo chmod 600 ${shellQuote(path)}`,
      )
    }
    if ((stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      throw new VaultError(
        'key-file-unsafe',
        `The key file ${path} is open to others (mode ${mode}). Run: chmod 600 ${shellQuote(path)}`,
      )
    }
    if (stat.size > maxFileBytes) throw unusable(path, `it is larger than ${maxFileBytes} bytes`)
    return readFileSync(fd, 'utf8')
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes the key file, whole or not at all: the key is on disk under another name before `link` gives it its own, and
 * `link` never replaces a file. Killed in between leaves only a temporary file that the next start removes.
 */
function createKeyFile(path: string): void {
  const key = randomBytes(keyBytes)
  // An id of the key's own: two installations' files taken for each other then name different keys.
  const keyId = `k${createHmac('sha256', key).update('valkeep key id').digest('hex').slice(0, 12)}`
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const fd = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(fd, `${keyId}:${key.toString('base64')}\n`)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
      key.fill(0)
    }
    linkSync(temporary, path)
  } catch (error) {
    // EEXIST: another start made the key first; ENOENT: and removed our temporary file as a leftover. Its key counts.
    const lostRace = errnoOf(error) === 'EEXIST' || (errnoOf(error) === 'ENOENT' && readKeyFile(path) !== undefined)
    if (!lostRace) throw unusable(path, `it cannot be created (${errnoOf(error)})`)
  } finally {
    rmSync(temporary, { force: true })
  }
  syncDirectory(dirname(path))
}

/**
 * What a killed creation left: the store is still new then, so the next start comes by here.
 * Safe beside a concurrent creation: the key file exists, so whoever loses its temporary file takes that one.
 */
function removeLeftovers(path: string): void {
  const directory = dirname(path)
  const prefix = `${basename(path)}.`
  for (const name of readdirSync(directory)) {
    if (name.startsWith(prefix) && /^[0-9a-f]{12}\.new$/.test(name.slice(prefix.length))) {
      rmSync(join(directory, name), { force: true })
    }
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function parseKeys(path: string, text: string): [string, KeyObject][] {
  const keys: [string, KeyObject][] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const [, keyId, base64] = lineFormat.exec(line.trim()) ?? []
    if (!keyId || !base64) throw unusable(path, `line ${index + 1} is not keyId:base64 of ${keyBytes} bytes`)
    if (keys.some(([known]) => known === keyId)) throw unusable(path, `key ${keyId} is there twice`)
    keys.push([keyId, createSecretKey(Buffer.from(base64, 'base64'))])
  }
  return keys
}

function unusable(path: string, why: string): VaultError {
  return new VaultError('key-file-unusable', `The key file ${path} cannot be used: ${why}.`)
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error'
}
