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
import { isOpen, keepText, modes, placed, readText, writeText } from './files.ts'
import { lockDir, lockNames } from './lock.ts'
import { type Report, shownPath } from './report.ts'
import { type Owner, ownerOf } from './stack-place.ts'

export type SecretOptions = {
  dir: string
  spec: StackSpec
  change: PasswordChange
  owner: Owner | undefined
  /** The command with these flags, as a person types it from here. */
  command: (flags: string) => string
}

/**
 * Makes the passwords that are missing and writes the files that follow from them. What is there stays, but by `change`.
 * Plaintext goes first: killed before the ACL file, the next run finds a password that the ACL does not know and says so.
 * @returns whether the server's ACL changed, so that it has to be started anew
 * @throws CliError where files contradict each other, or a user is none
 */
export function ensureSecrets(options: SecretOptions, report: Report): boolean {
  const { dir, spec, change, owner, command } = options
  for (const name of [change.rotate, change.dropOld]) if (name !== undefined) checkUser(spec, name)
  const changesOne = change.rotate !== undefined || change.dropOld !== undefined
  if (changesOne && readSecrets(options, () => true).known.size === 0)
    throw usageError(
      `There are no secrets in ${shownPath(dir)} to change`,
      `Name their directory, or make them: ${command('')}`,
    )
  using _lock = lockDir(dir, lockNames.secrets, modes.secretDir)
  if (isOpen(dir))
    report.notes.push(`others may look into ${shownPath(dir)}: chmod 700 it, if it is for the secrets alone`)
  const before = readSecrets(options, (name) => change.force || change.rotate === name)
  const result = nextPasswords(spec, before.known, change, { make: randomPassword, sha256: sha256Hex })
  if ('conflict' in result) throw conflict(options, result.conflict.user, result.conflict.reason)
  const passwords = result.ok
  // Rendered first: what cannot be written down leaves everything as it was.
  const acl = renderAclFile(stackAcl(spec, (name) => passwords.get(name)?.digests ?? []))
  for (const name of before.strangers)
    report.notes.push(`the user ${name} is not in stack.yaml, and goes from ${secretFiles.acl}`)
  writePasswordFiles(options, passwords, report)
  writeCredentials(options, passwords, before.acl !== undefined, report)
  const place = placed(modes.secret, owner)
  const file = join(dir, secretFiles.acl)
  if (before.acl === acl) keepText(report, file, place)
  else writeText(report, file, acl, place)
  return before.acl !== acl
}

const conflict = ({ command }: SecretOptions, user: string, reason: string) =>
  new CliError(exitCodes.conflict, reason, {
    next: `Put the right one back, or make a new one: ${command(`--rotate ${user}`)}`,
  })

function checkUser(spec: StackSpec, name: string): void {
  const users = Object.keys(spec.users)
  if (users.includes(name)) return
  const near = nearestName(name, users)
  throw usageError(
    `There is no user ${name}`,
    near === undefined ? `Users: ${users.join(', ')}` : `Did you mean ${near}?`,
  )
}

type Before = {
  acl: string | undefined
  known: Map<string, KnownPassword>
  /** Users of the ACL file that the spec does not have. */
  strangers: string[]
}

/**
 * What the files say.
 * @param isReplaced users whose password is made anew: what is on file need not agree
 * @throws CliError where the ACL file is none, or two files name two passwords of one user
 */
function readSecrets(options: SecretOptions, isReplaced: (name: string) => boolean): Before {
  const { dir, spec } = options
  const acl = readText(join(dir, secretFiles.acl))
  const users = acl === undefined ? [] : readAcl(acl, dir)
  const digests = new Map(users.map((user) => [user.name, user.passwords] as const))
  const credentials = parseCredentials(readText(join(dir, secretFiles.env)) ?? '')
  const known = new Map<string, KnownPassword>()
  for (const [name, user] of Object.entries(spec.users)) {
    const inEnv = credentials.get(user.env)
    const inFile =
      user.password_file === undefined ? undefined : readText(join(dir, user.password_file))?.replace(/\r?\n$/, '')
    // An empty line is no password: its digest would let everybody in.
    if (inEnv && inFile && inEnv !== inFile && !isReplaced(name))
      throw conflict(options, name, `${user.password_file} and ${secretFiles.env} have two passwords for ${name}`)
    const plain = inFile || inEnv || undefined
    const own = digests.get(name) ?? []
    if (plain !== undefined || own.length > 0) known.set(name, { plain, digests: own })
  }
  const strangers = users
    .map(({ name }) => name)
    .filter((name) => name !== 'default' && !Object.hasOwn(spec.users, name))
  return { acl, known, strangers }
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

type Passwords = ReadonlyMap<string, NextPassword>

/** The health user's file is mounted into the container; every other is for the consumer it is handed to. */
function writePasswordFiles({ dir, spec, owner, command }: SecretOptions, passwords: Passwords, report: Report): void {
  for (const [name, user] of Object.entries(spec.users)) {
    const plain = passwords.get(name)?.plain
    if (user.password_file === undefined) continue
    const path = join(dir, user.password_file)
    if (plain === undefined) {
      report.notes.push(
        `${shownPath(path)} cannot be written: the password of ${name} is known by its digest alone. A new one: ${command(`--rotate ${name}`)}`,
      )
      continue
    }
    const reader = name === spec.health_user ? owner : ownerOf(user.owner, `the password file of ${name}`)
    const place = placed(modes.secret, reader)
    if (readText(path) === `${plain}\n`) keepText(report, path, place)
    else writeText(report, path, `${plain}\n`, place)
  }
}

/** Once handed out the credentials may be taken away: without a new password they do not come back. */
function writeCredentials({ dir, spec }: SecretOptions, passwords: Passwords, hadAcl: boolean, report: Report): void {
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
