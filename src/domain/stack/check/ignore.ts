/** Whether git is kept from a stack's secrets. */
import { type Finding, ok, warn } from '../../finding.ts'
import { shellQuote } from '../../shell-quote.ts'
import { ignoredPaths } from '../places.ts'
import type { StackSpec } from '../spec.ts'
import type { Names } from './facts.ts'

const FILE = '.gitignore'

/** Spellings of one pattern: `/secrets/`, `secrets`, `secrets/*`. */
const plain = (line: string): string =>
  line
    .trim()
    .replace(/^\//, '')
    .replace(/(\/\*{0,2})+$/, '')

/** @param text of the .gitignore beside stack.yaml; undefined where there is none */
export function judgeIgnored(spec: StackSpec, text: string | undefined, { shown, word }: Names): Finding[] {
  const lines = (text ?? '').split('\n').map((line) => line.trim())
  const wider = ['*.key', '**/*.key', `${spec.files.certs}/*`, spec.files.certs].map(plain)
  const has = lines.map(plain)
  const missing = ignoredPaths(spec).filter(
    (wanted) => !has.includes(plain(wanted)) && !(wanted.endsWith('.key') && has.some((line) => wider.includes(line))),
  )
  const path = shown(FILE)
  if (missing.length > 0)
    return [
      warn(
        FILE,
        `${path} does not keep git from ${missing.join(' and ')}`,
        `printf '%s\\n' ${missing.map(shellQuote).join(' ')} >> ${word(FILE)}`,
      ),
    ]
  const back = lines.filter(
    (line) => line.startsWith('!') && (/\.key$|\.acl$|\.txt$/.test(line) || line.includes('secret')),
  )
  if (back.length > 0)
    return [warn(FILE, `${path} lets git see ${back.join(', ')} again`, `Take the line out of ${path}.`)]
  return [ok(FILE, 'keeps git from the secrets and keys')]
}
