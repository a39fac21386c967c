/** Whether git is kept from a stack's secrets: git itself is asked where it answers, else the .gitignore is read. */
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { shellQuote } from '../../shell-quote.ts'
import { ignoredPaths } from '../places.ts'
import type { StackSpec } from '../spec.ts'
import { listed } from './acl-words.ts'
import type { Names } from './facts.ts'

/** What git does with a file: it has it, it leaves it aside, or the next `git add` takes it. */
export type GitState = 'tracked' | 'ignored' | 'taken'

/** A directory of secrets, or of keys. */
export type SecretDir = {
  /** As stack.yaml has it. */
  path: string
  /** It really lies elsewhere than below the stack's directory: no pattern of the .gitignore there reaches it. */
  isOutside: boolean
  /** By the name of each secret or key in it; or why git was not asked. */
  git: ReadonlyMap<string, GitState> | 'no repository' | 'no answer'
  /** Text of a .gitignore in it. */
  own: string | undefined
}

/** @property text of the .gitignore beside stack.yaml; undefined where there is none */
export type IgnoreFacts = { text: string | undefined; secrets: SecretDir; certs: SecretDir }

const FILE = '.gitignore'

export function judgeIgnored(spec: StackSpec, facts: IgnoreFacts, names: Names): Finding[] {
  const [forSecrets = '', forKeys = ''] = ignoredPaths(spec)
  const dirs = [
    { dir: facts.secrets, pattern: forSecrets, everything: '*', anew: 'secrets --force --apply' },
    { dir: facts.certs, pattern: forKeys, everything: '*.key', anew: 'certs --force --apply' },
  ]
  const has = linesOf(facts.text).map(plain)
  const isThere = (pattern: string) => isCovered(spec, pattern, has)
  const findings = dirs.flatMap((each) => [
    ...tracked(each, names),
    ...taken(each, !each.dir.isOutside && !isThere(each.pattern), names),
    ...unreached(each, names),
  ])
  const read = dirs.filter(({ dir }) => typeof dir.git === 'string' && !dir.isOutside)
  const said = [
    ...findings,
    ...judgeText(
      read.map(({ pattern }) => pattern).filter((each) => !isThere(each)),
      facts,
      names,
    ),
  ]
  const back = said.length === 0 && read.length > 0 ? seenAgain(facts.text, names) : []
  const all = [...said, ...back]
  return all.length > 0 ? all : [ok(FILE, 'keeps git from the secrets and keys')]
}

const linesOf = (text: string | undefined): string[] => (text ?? '').split('\n').map((line) => line.trim())

/** Spellings of one pattern: `/secrets/`, `secrets`, `secrets/*`. */
const plain = (line: string): string =>
  line
    .trim()
    .replace(/^\//, '')
    .replace(/(\/\*{0,2})+$/, '')

function isCovered({ files }: StackSpec, wanted: string, has: readonly string[]): boolean {
  const wider = ['*.key', '**/*.key', `${files.certs}/*`, files.certs].map(plain)
  return has.includes(plain(wanted)) || (wanted.endsWith('.key') && has.some((line) => wider.includes(line)))
}

type Judged = { dir: SecretDir; pattern: string; everything: string; anew: string }

const inState = ({ git }: SecretDir, state: GitState): string[] =>
  typeof git === 'string' ? [] : [...git].filter(([, is]) => is === state).map(([name]) => name)

const paths = ({ path }: SecretDir, files: readonly string[], { shown }: Names) =>
  listed(files.map((file) => shown(`${path}/${file}`)))

function tracked({ dir, anew }: Judged, names: Names): Finding[] {
  const files = inState(dir, 'tracked')
  if (files.length === 0) return []
  return [
    fail(
      FILE,
      `git holds ${paths(dir, files, names)}: whoever has the repository has them`,
      `What was committed stays in the history: make new ones (${names.command(anew)}). Before that: git -C ${names.word(dir.path)} rm -q --cached -- ${files.join(' ')}`,
    ),
  ]
}

/** @param isMissing no line of the .gitignore beside stack.yaml is for them */
function taken(judged: Judged, isMissing: boolean, names: Names): Finding[] {
  const { dir, pattern } = judged
  const files = inState(dir, 'taken')
  if (files.length === 0) return []
  const fix = isMissing ? appended(pattern, FILE, names) : ownIgnore(judged, names)
  return [fail(FILE, `git does not ignore ${paths(dir, files, names)}: the next commit may hold them`, fix)]
}

const appended = (pattern: string, file: string, { word }: Names): string =>
  `printf '%s\\n' ${shellQuote(pattern)} >> ${word(file)}`

/** The deepest .gitignore has the last word. */
const ownIgnore = ({ dir, everything }: Judged, names: Names): string =>
  appended(everything, `${dir.path}/${FILE}`, names)

/** Where git gives no answer: a pattern that leaves the directory of its .gitignore matches nothing. */
function unreached(judged: Judged, names: Names): Finding[] {
  const { dir, everything } = judged
  if (dir.git !== 'no answer' || !dir.isOutside || linesOf(dir.own).some((line) => ['*', everything].includes(line)))
    return []
  const detail = `${names.shown(dir.path)} lies in a git repository, and out of reach of ${names.shown(FILE)}`
  return [fail(FILE, detail, ownIgnore(judged, names))]
}

function judgeText(missing: readonly string[], { text }: IgnoreFacts, { shown, word }: Names): Finding[] {
  if (missing.length === 0) return []
  // One that ends without a line break would swallow the first line.
  const lead = text === undefined || text === '' || text.endsWith('\n') ? '' : "'' "
  return [
    warn(
      FILE,
      `${shown(FILE)} does not keep git from ${missing.join(' and ')}`,
      `printf '%s\\n' ${lead}${missing.map(shellQuote).join(' ')} >> ${word(FILE)}`,
    ),
  ]
}

function seenAgain(text: string | undefined, { shown }: Names): Finding[] {
  const back = linesOf(text).filter(
    (line) => line.startsWith('!') && (/\.key$|\.acl$|\.txt$/.test(line) || line.includes('secret')),
  )
  if (back.length === 0) return []
  const path = shown(FILE)
  return [warn(FILE, `${path} lets git see ${back.join(', ')} again`, `Take the line out of ${path}.`)]
}
