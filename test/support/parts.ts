import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import type { TestContext } from 'node:test'

/** The Valkey versions that the tests run against, oldest first. */
export const VALKEY_VERSIONS = ['8.0', '8.1', '9'] as const
type ValkeyVersion = (typeof VALKEY_VERSIONS)[number]

/** What a test may need beyond the npm packages; each is brought by `sh scripts/setup.sh dev`, or `kube`. */
export type PartName =
  | `valkey-${ValkeyVersion}`
  | 'python'
  | 'schemathesis'
  | 'valkey-cli'
  | 'openssl'
  | 'openssl-1.1'
  | 'shellcheck'
  | 'busybox'
  | 'exporter'
  | 'promtool'

/** Where the parts that no package manager holds are kept: `VALKEEP_PARTS`, else under the user's cache directory. */
export function partsDir(): string {
  return process.env.VALKEEP_PARTS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'valkeep', 'parts')
}

/**
 * The valkey-server binaries present here, by the versions of {@link VALKEY_VERSIONS}.
 * A missing one is said on stderr on a laptop, and an error under `CI=true`.
 */
export function valkeyBinaries(): { version: ValkeyVersion; path: string }[] {
  return VALKEY_VERSIONS.flatMap((version) => {
    const path = findPart(`valkey-${version}`)
    if (path !== undefined) return [{ version, path }]
    if (process.env.CI === 'true') throw new Error(missing(`valkey-${version}`))
    process.stderr.write(`SKIPPED: ${missing(`valkey-${version}`)}\n`)
    return []
  })
}

/**
 * The path of a part's program. Where it is missing the test is skipped, loudly, and the answer is undefined: return at once then.
 * Under `CI=true` a missing part is an error instead.
 */
export function requirePart(t: TestContext, name: PartName): string | undefined {
  const path = findPart(name)
  if (path !== undefined) return path
  if (process.env.CI === 'true') throw new Error(missing(name))
  t.skip(missing(name))
  return undefined
}

/** The path of a part that not every machine can have; where it is missing that is said on stderr, under `CI=true` too. */
export function optionalPart(name: PartName): string | undefined {
  const path = findPart(name)
  if (path === undefined) process.stderr.write(`LEFT OUT: ${missing(name)}\n`)
  return path
}

function missing(name: PartName): string {
  const all = name === 'exporter' || name === 'promtool' ? 'kube' : 'dev'
  return `the part ${name} is missing; sh scripts/setup.sh ${all} brings it`
}

function findPart(name: PartName): string | undefined {
  switch (name) {
    case 'valkey-8.0':
      return systemValkey('8.0')
    case 'valkey-8.1':
    case 'valkey-9':
      return inParts('valkey', name.slice('valkey-'.length), 'bin', 'valkey-server')
    case 'python':
      return inParts('python', 'bin', 'python')
    case 'schemathesis':
      return inParts('python', 'bin', 'schemathesis')
    case 'exporter':
      return inParts('monitoring', 'bin', 'redis_exporter')
    case 'promtool':
      return inParts('monitoring', 'bin', 'promtool')
    case 'openssl-1.1':
      return inParts('openssl-1.1', 'bin', 'openssl')
    case 'valkey-cli':
    case 'openssl':
    case 'shellcheck':
    case 'busybox':
      return onPath(name)
  }
}

function inParts(...path: string[]): string | undefined {
  const file = join(partsDir(), ...path)
  return existsSync(file) ? file : undefined
}

/** VALKEY_SERVER or the one on PATH, where it is of this version; else one kept among the parts. */
function systemValkey(version: ValkeyVersion): string | undefined {
  const path = onPath(process.env.VALKEY_SERVER ?? 'valkey-server')
  const fits = path !== undefined && execFileSync(path, ['--version'], { encoding: 'utf8' }).includes(` v=${version}.`)
  return fits ? path : inParts('valkey', version, 'bin', 'valkey-server')
}

function onPath(program: string): string | undefined {
  if (isAbsolute(program)) return isExecutable(program) ? program : undefined
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, program))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
