/** Asks git what it does with a stack's secrets. Changes nothing, and runs nothing that a repository's configuration names. */
import { spawnSync } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { stackFiles } from '../domain/stack/check/files.ts'
import type { GitState, IgnoreFacts, SecretDir } from '../domain/stack/check/ignore.ts'
import type { StackPlace } from './stack-place.ts'

type Env = Readonly<Record<string, string | undefined>>

/** @param read the text of a file by its path in stack.yaml; undefined where there is none to read */
export function ignoreFacts(
  { root, spec }: StackPlace,
  read: (path: string) => string | undefined,
  env: Env,
): IgnoreFacts {
  const secrets = stackFiles(spec).filter(({ kind }) => kind === 'secret')
  const dirFacts = (path: string): SecretDir => {
    const dir = real(resolve(root, path))
    const files = secrets
      .filter((file) => resolve(root, dirname(file.path)) === resolve(root, path))
      .map((file) => basename(file.path))
    return {
      path,
      isOutside: relative(real(root), dir).split('/')[0] === '..',
      git: isInRepository(dir) ? (ask(dir, files, env) ?? 'no answer') : 'no repository',
      own: read(`${path}/.gitignore`),
    }
  }
  return { text: read('.gitignore'), secrets: dirFacts(spec.files.secrets), certs: dirFacts(spec.files.certs) }
}

/** git looks at where a file really is, and never beyond a link. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

const isInRepository = (dir: string): boolean =>
  existsSync(join(dir, '.git')) || (dirname(dir) !== dir && isInRepository(dirname(dir)))

/** @returns undefined where git is not there, or does not want to answer (a repository of somebody else's) */
function ask(dir: string, files: readonly string[], env: Env): Map<string, GitState> | undefined {
  // Of a hook, those would name another repository.
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('GIT_')))
  const git = (...words: string[]) => {
    const options = ['-C', dir, '-c', 'core.fsmonitor=false', '-c', 'core.quotePath=false', ...words]
    const { status, stdout } = spawnSync('git', options, { env: own, encoding: 'utf8', timeout: 10_000 })
    return { status, lines: new Set((stdout ?? '').split('\n')) }
  }
  const tracked = git('ls-files', '--', ...files)
  // 1: none of them is ignored.
  const ignored = git('check-ignore', '--', ...files)
  if (tracked.status !== 0 || (ignored.status !== 0 && ignored.status !== 1)) return undefined
  return new Map(
    files.map((file) => [file, tracked.lines.has(file) ? 'tracked' : ignored.lines.has(file) ? 'ignored' : 'taken']),
  )
}
