/** Directories of a stack's secrets for tests, and what must hold of every one. */
import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext } from 'node:test'
import { CliError, type ExitCode } from '../../src/cli/exit-code.ts'
import { parseAclFile } from '../../src/domain/acl/parse.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { secretFiles } from '../../src/domain/stack/places.ts'
import { parseCredentials, type PasswordChange } from '../../src/domain/stack/secrets.ts'
import type { StackSpec } from '../../src/domain/stack/spec.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { changedSince, secretsRun, snapshot } from './stack.ts'

const spec = defaultSpec()
const { acl: aclFile, env: envFile } = secretFiles

const root = mkdtempSync(join(tmpdir(), 'valkeep-secrets-'))
// To be entered by whom `unwritable` works as.
chmodSync(root, 0o711)
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0
/** A directory that is not there yet. */
export const newDir = (): string => join(root, String(++count), 'secrets')

/** A directory with the secrets of a stack. */
export function made(of: StackSpec = spec): string {
  const dir = newDir()
  secretsRun(dir, of)
  return dir
}

export const read = (dir: string, file: string) => readFileSync(join(dir, file), 'utf8')
/** Passwords by their variables. */
export const credentials = (dir: string) => parseCredentials(read(dir, envFile))
/** Digests by user, of the ACL file. */
export const digestsOf = (dir: string) =>
  new Map(parseAclFile(read(dir, aclFile)).map(({ name, passwords }) => [name, passwords]))
/** Lines of the ACL file and of the credentials that speak of nobody of these. */
export const linesWithout = (dir: string, of: StackSpec, names: readonly string[]): string[] => {
  const envs = names.map((name) => `${of.users[name]?.env}=`)
  const acl = read(dir, aclFile)
    .split('\n')
    .filter((line) => !names.some((name) => line.startsWith(`user ${name} `)))
  return [
    ...acl,
    ...read(dir, envFile)
      .split('\n')
      .filter((line) => !envs.some((env) => line.startsWith(env))),
  ]
}

/** Refused with a message and the next thing to type; nothing is changed. */
export function refuses(
  dir: string,
  change: Partial<PasswordChange>,
  code: ExitCode,
  message: RegExp,
  next: RegExp,
  of = spec,
): void {
  const before = existsSync(dir) ? snapshot(dir) : new Map<string, string>()
  assert.throws(
    () => secretsRun(dir, of, change),
    (error: unknown) => {
      assert.ok(error instanceof CliError, String(error))
      assert.match(error.message, message)
      assert.match(error.next ?? '', next)
      assert.equal(error.exitCode, code)
      return true
    },
  )
  if (existsSync(dir)) assert.deepEqual(changedSince(before, dir), [])
  else assert.equal(before.size, 0)
}

/** A seed that is told; VALKEEP_TEST_SEED gives it back. */
export function seedOf(t: TestContext): number {
  const seed = Number(process.env['VALKEEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  return seed
}

/** What must be so in a directory of secrets whatever was done to it, as long as nobody edits it. */
export function consistent(dir: string, of: StackSpec): void {
  const digests = digestsOf(dir)
  assert.deepEqual([...digests.keys()], ['default', ...Object.keys(of.users)])
  assert.deepEqual(digests.get('default'), [])
  const known = existsSync(join(dir, envFile)) ? credentials(dir) : new Map<string, string>()
  const plain: string[] = [...known.values()]
  for (const [user, { env, password_file: file }] of Object.entries(of.users)) {
    const own = digests.get(user) ?? []
    assert.ok(own.length > 0 && new Set(own).size === own.length, user)
    const texts = [
      known.get(env),
      file !== undefined && existsSync(join(dir, file)) ? read(dir, file).trimEnd() : undefined,
    ]
    for (const text of texts) {
      if (text === undefined) continue
      assert.ok(own.includes(sha256Hex(text)), `${user}: the ACL has the digest of the password on file`)
      assert.match(text, /^[A-Za-z0-9]{32}$/)
    }
  }
  assert.equal(new Set(plain).size, plain.length, 'no password twice')
  const acl = read(dir, aclFile)
  assert.ok(!plain.some((password) => acl.includes(password)), 'no password in the ACL file')
  for (const file of readdirSync(dir)) assert.equal(statSync(join(dir, file)).mode & 0o777, 0o600, file)
  assert.equal(statSync(dir).mode & 0o777, 0o700)
}
