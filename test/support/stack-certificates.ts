/** A set of a stack's certificates, made once for a test file, whose tests work on copies of it; and what must hold of every set. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext } from 'node:test'
import { CliError } from '../../src/cli/exit-code.ts'
import { certificateFiles } from '../../src/domain/stack/places.ts'
import type { StackSpec } from '../../src/domain/stack/spec.ts'
import type { CertificateOptions } from '../../src/stack/certs.ts'
import { optionalPart, requirePart } from './parts.ts'
import { certificatesRun, changedSince, snapshot } from './stack.ts'

export const leaves = ['server', 'client'] as const
export const certificateNames = Object.values(certificateFiles).toSorted()

export const pem = (dir: string, file: string): string => readFileSync(join(dir, file), 'utf8')
export const certificate = (dir: string, name: string): X509Certificate => new X509Certificate(pem(dir, `${name}.crt`))

/** Directories for the tests of one file, gone with it; the set is there once they run. */
export function useCertificates(spec: StackSpec) {
  const dirs: string[] = []
  const newDir = (): string => {
    const dir = mkdtempSync(join(tmpdir(), 'valkeep-certs-'))
    dirs.push(dir)
    return dir
  }
  const made = join(newDir(), 'certs', 'valkey')
  before(() => certificatesRun(made, spec))
  after(() => {
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
  })
  return {
    /** Where the set is; not to be changed. */
    made,
    newDir,
    /** A copy of the set. */
    copy(): string {
      const dir = newDir()
      cpSync(made, dir, { recursive: true })
      return dir
    },
    /** A run that is refused with a message and the next thing to type, and changes nothing. */
    async refuses(dir: string, options: Partial<CertificateOptions>, message: RegExp, next: RegExp): Promise<void> {
      const before = snapshot(dir)
      await assert.rejects(certificatesRun(dir, spec, options), (error: unknown) => {
        assert.ok(error instanceof CliError, String(error))
        assert.match(error.message, message)
        assert.match(error.next ?? '', next)
        return true
      })
      assert.deepEqual(changedSince(before, dir), [])
    },
  }
}

export type Ran = { status: number; text: string }

/** A program's exit code and all that it printed. */
export const run = (program: string, args: string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 120_000 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), text: stdout + stderr }),
    )
    child.stdin?.end()
  })

/** Every OpenSSL at hand, oldest last: the old one is not to be had everywhere. */
export const openssls = (t: TestContext): string[] =>
  [requirePart(t, 'openssl'), optionalPart('openssl-1.1')].filter((path) => path !== undefined)

/** The chain of a set, by every OpenSSL at hand, as strictly as it can. */
export async function verifies(t: TestContext, dir: string, ca = join(dir, 'ca.crt')): Promise<void> {
  for (const program of openssls(t))
    for (const [leaf, purpose, other] of [
      ['server', 'sslserver', 'sslclient'],
      ['client', 'sslclient', 'sslserver'],
    ]) {
      const file = join(dir, `${leaf}.crt`)
      const verify = (as: string | undefined) =>
        run(program, ['verify', '-x509_strict', '-purpose', String(as), '-CAfile', ca, file])
      const right = await verify(purpose)
      assert.equal(right.status, 0, right.text)
      const wrong = await verify(other)
      assert.notEqual(wrong.status, 0)
      assert.match(wrong.text, /unsupported certificate purpose|unsuitable certificate purpose/)
    }
}

/** Each pair belongs together and to the authority. */
export function fits(dir: string): void {
  const ca = certificate(dir, 'ca')
  for (const name of ['ca', ...leaves]) {
    const own = certificate(dir, name)
    assert.ok(own.checkPrivateKey(createPrivateKey(pem(dir, `${name}.key`))), `${name}: key and certificate`)
    assert.ok(own.verify(ca.publicKey), `${name}: signed by the authority`)
    assert.ok(own.checkIssued(ca), `${name}: issued by the authority`)
  }
}

/** Property 6, whatever the umask. */
export function assertModes(dir: string): void {
  assert.deepEqual(readdirSync(dir).toSorted(), certificateNames, 'these files and no other')
  for (const file of certificateNames)
    assert.equal(statSync(join(dir, file)).mode & 0o777, file.endsWith('.key') ? 0o600 : 0o644, file)
}
