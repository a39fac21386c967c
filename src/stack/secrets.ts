/** The secrets of a stack: passwords, the ACL file with their digests, and the files that hand them to people. */
import { join } from 'node:path'
import { CliError, exitCodes, usageError } from '../cli/exit-code.ts'
import { AclTextError, parseAclFile } from '../domain/acl/parse.ts'
import { renderAclFile } from '../domain/acl/render.ts'
import { nearestName } from '../domain/nearest-name.ts'
import { stackAcl } from '../domain/stack/acl.ts'
import { secretFiles } from '../domain/stack/places.ts'
import {
  credentialsText,
  type KnownPassword,
  type NextPassword,
  nextPasswords,
  type PasswordChange,
  parseCredentials,
} from '../domain/stack/secrets.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import { randomPassword, sha256Hex } from '../vault/random.ts'
import { isOpen, keepText, modes, readText, writeText } from './files.ts'
import { lockDir, lockNames } from './lock.ts'
import { type Report, shownPath } from './report.ts'
import type { Owner } from './stack-place.ts'

export type SecretOptions = { dir: string; spec: StackSpec; change: PasswordChange; owner: Owner | undefined }

/**
 * Makes the passwords that are missing and writes the files that follow from them. What is there stays, but by `change`.
 * Plaintext goes first: killed before the ACL file, the next run finds a password that the ACL does not know and says so.
 * @returns whether the server's ACL changed, so that it has to be started anew
 * @throws CliError where files contradict each other, or a user is none
 */
export function ensureSecrets({ dir, spec, change, owner }: SecretOptions, report: Report): boolean {
  for (const name of [change.rotate, change.dropOld]) if (name !== undefined) checkUser(spec, name)
  if (change.rotate !== undefined && readSecrets(dir, spec, () => true).known.size === 0)
    throw usageError(
      `There are no secrets in ${shownPath(dir)} to rotate`,
      'Name their directory, or make them: valkeep stack secrets',
    )
  using _lock = lockDir(dir, lockNames.secrets, modes.secretDir)
  if (isOpen(dir))
    report.notes.push(`others may look into ${shownPath(dir)}: chmod 700 it, if it is for the secrets alone`)
  const before = readSecrets(dir, spec, (name) => change.force || change.rotate === name)
  const result = nextPasswords(spec, before.known, change, { make: randomPassword, sha256: sha256Hex })
  if ('conflict' in result)
    throw new CliError(exitCodes.conflict, result.conflict.reason, { next: result.conflict.next })
  const passwords = result.ok
  // Rendered first: what cannot be written down leaves everything as it was.
  const acl = renderAclFile(stackAcl(spec, (name) => passwords.get(name)?.digests ?? []))
  writePasswordFiles({ dir, spec, owner, passwords }, report)
  writeCredentials({ dir, spec, passwords, hadAcl: before.acl !== undefined }, report)
  const place = { mode: modes.secret, ...(owner === undefined ? {} : { owner }) }
  const file = join(dir, secretFiles.acl)
  if (before.acl === acl) keepText(report, file, place)
  else writeText(report, file, acl, place)
  return before.acl !== acl
}

function checkUser(spec: StackSpec, name: string): void {
  const users = Object.keys(spec.users)
  if (users.includes(name)) return
  const near = nearestName(name, users)
  throw usageError(
    `There is no user ${name}`,
    near === undefined ? `Users: ${users.join(', ')}` : `Did you mean ${near}?`,
  )
}

type Before = { acl: string | undefined; known: Map<string, KnownPassword> }

/**
 * What the files say.
 * @param isReplaced users whose password is made anew: what is on file need not agree
 * @throws CliError where the ACL file is none, or two files name two passwords of one user
 */
export function readSecrets(dir: string, spec: StackSpec, isReplaced: (name: string) => boolean): Before {
  const acl = readText(join(dir, secretFiles.acl))
  const digests = new Map(
    acl === undefined ? [] : readAcl(acl, dir).map((user) => [user.name, user.passwords] as const),
  )
  const credentials = parseCredentials(readText(join(dir, secretFiles.env)) ?? '')
  const known = new Map<string, KnownPassword>()
  for (const [name, user] of Object.entries(spec.users)) {
    const inEnv = credentials.get(user.env)
    const inFile =
      user.password_file === undefined ? undefined : readText(join(dir, user.password_file))?.replace(/\r?\n$/, '')
    // An empty line is no password: its digest would let everybody in.
    if (inEnv && inFile && inEnv !== inFile && !isReplaced(name))
      throw new CliError(
        exitCodes.conflict,
        `${user.password_file} and ${secretFiles.env} have two passwords for ${name}`,
        {
          next: `Make both the same, or make a new one: valkeep stack secrets --rotate ${name}`,
        },
      )
    const plain = inFile || inEnv || undefined
    const own = digests.get(name) ?? []
    if (plain !== undefined || own.length > 0) known.set(name, { plain, digests: own })
  }
  return { acl, known }
}

function readAcl(text: string, dir: string): ReturnType<typeof parseAclFile> {
  try {
    return parseAclFile(text)
  } catch (error) {
    if (!(error instanceof AclTextError)) throw error
    const path = shownPath(join(dir, secretFiles.acl))
    throw new CliError(exitCodes.conflict, `${path} cannot be read: ${error.message}`, {
      next: 'Mend it, or move it away: it is made again, with the passwords of the other files.',
    })
  }
}

type Writing = { dir: string; spec: StackSpec; passwords: ReadonlyMap<string, NextPassword> }

/** The health user's file is mounted into the container; every other is for the consumer it is handed to. */
function writePasswordFiles(
  { dir, spec, owner, passwords }: Writing & { owner: Owner | undefined },
  report: Report,
): void {
  for (const [name, { password_file: file }] of Object.entries(spec.users)) {
    const plain = passwords.get(name)?.plain
    if (file === undefined) continue
    const path = join(dir, file)
    if (plain === undefined) {
      report.notes.push(
        `${shownPath(path)} cannot be written: the password of ${name} is known by its digest alone. A new one: valkeep stack secrets --rotate ${name}`,
      )
      continue
    }
    const place = { mode: modes.secret, ...(name === spec.health_user && owner !== undefined ? { owner } : {}) }
    if (readText(path) === `${plain}\n`) keepText(report, path, place)
    else writeText(report, path, `${plain}\n`, place)
  }
}

/** Once handed out the credentials may be taken away: without a new password they do not come back. */
function writeCredentials({ dir, spec, passwords, hadAcl }: Writing & { hadAcl: boolean }, report: Report): void {
  const path = join(dir, secretFiles.env)
  const present = readText(path)
  const isNew = [...passwords.values()].some((password) => password.isNew)
  const text = credentialsText(spec, passwords)
  if (present === undefined && hadAcl && !isNew) {
    report.notes.push(`${shownPath(path)} was taken away, and stays so: no password is new`)
    return
  }
  if (present === text) keepText(report, path, { mode: modes.secret })
  else writeText(report, path, text, { mode: modes.secret })
}
