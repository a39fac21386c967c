/** Whether others could put files of their own in place of a stack's: by its directories, or by what all else follows from. */
import { fail, type Finding } from '../../finding.ts'
import type { StackSpec } from '../spec.ts'
import { type Names, octal, type PathFacts } from './facts.ts'

/** Without what says nothing: `./deploy/` is `deploy`. */
const plain = (path: string): string => path.replace(/^(\.\/+)+|(?<=.)\/+$/g, '') || '.'

const parentOf = (path: string): string => {
  const at = path.lastIndexOf('/')
  return at === -1 ? '.' : path.slice(0, at) || '/'
}

/** A directory and what is above it, up to the stack's own; of one elsewhere only itself. */
function withParents(dir: string): string[] {
  if (dir === '.' || dir.startsWith('/') || dir.split('/').includes('..')) return [dir]
  return [dir, ...withParents(parentOf(dir))]
}

/** The directories of a stack, stack.yaml and the compose file, as stack.yaml writes paths. */
export function swappablePaths({ files }: StackSpec): string[] {
  const dirs = [parentOf(files.compose), files.secrets, parentOf(files.config), files.certs, files.scripts].map(plain)
  return [...new Set(['.', ...dirs.flatMap(withParents).toReversed(), 'stack.yaml', files.compose])]
}

export function judgeSwappable(
  spec: StackSpec,
  paths: ReadonlyMap<string, PathFacts>,
  { shown, word }: Names,
): Finding[] {
  return swappablePaths(spec).flatMap((path) => {
    const facts = paths.get(path)
    // That of the secrets is open to nobody at all, which is another finding.
    if (facts === undefined || (facts.mode & 0o022) === 0 || path === plain(spec.files.secrets)) return []
    const [who, whoever] = (facts.mode & 0o002) !== 0 ? ['everybody', 'anybody'] : ['its group', 'anybody of it']
    const what = facts.kind === 'directory' ? 'files' : 'file'
    const detail = `${who} may write ${shown(path)} (${octal(facts.mode)}): ${whoever} could swap the ${what}`
    return [fail('permissions', detail, `chmod go-w ${word(path)}`)]
  })
}
