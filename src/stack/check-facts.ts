/** Gathers what a check of a stack judges, from its files alone. Passwords leave here as digests. */
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { visit } from 'yaml'
import { shellWord } from '../domain/shell-quote.ts'
import type { AclFacts, PasswordOnFile } from '../domain/stack/check/acl.ts'
import type { StackFacts } from '../domain/stack/check/check.ts'
import type { ComposeFacts } from '../domain/stack/check/compose.ts'
import type { Names, PathFacts } from '../domain/stack/check/facts.ts'
import { stackFiles } from '../domain/stack/check/files.ts'
import type { OpenText } from '../domain/stack/check/leaks.ts'
import type { ScriptsFacts } from '../domain/stack/check/scripts.ts'
import { swappablePaths } from '../domain/stack/check/swappable.ts'
import { scriptFiles, secretFiles } from '../domain/stack/places.ts'
import { parseCredentials } from '../domain/stack/secrets.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import { sha256Hex } from '../vault/random.ts'
import { certificatesFacts } from './check-certificates.ts'
import { ignoreFacts } from './check-git.ts'
import { partsFor } from './compose-file.ts'
import { shownPath, stackCommand } from './report.ts'
import { renderScripts } from './scripts.ts'
import { SPEC_FILE } from './spec-file.ts'
import type { StackPlace } from './stack-place.ts'
import { readYaml } from './yaml-text.ts'

/** @param env environment for git */
export function gatherFacts(
  place: StackPlace,
  now: Date,
  env: Readonly<Record<string, string | undefined>>,
): StackFacts {
  const { root, spec } = place
  const { files } = spec
  const read = (path: string) => readable(resolve(root, path))
  const paths = [...stackFiles(spec).map(({ path }) => path), files.secrets, ...swappablePaths(spec)]
  return {
    names: namesFor(root),
    files: { paths: new Map(paths.map((path) => [path, pathFacts(resolve(root, path))])) },
    certificates: certificatesFacts(spec, (file) => read(`${files.certs}/${file}`), now),
    acl: aclFacts(spec, read),
    conf: read(files.config),
    compose: composeFacts(place, read(files.compose)),
    scripts: scriptsFacts(spec, read),
    ignore: ignoreFacts(place, read, env),
    open: openTexts(spec, read),
  }
}

/** The text of a file; undefined where it is missing or this user cannot read it, which the facts of its path tell. */
function readable(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function pathFacts(path: string): PathFacts {
  const nothing = { uid: 0, gid: 0, mode: 0, readable: false }
  try {
    const stat = statSync(path)
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other'
    return { kind, uid: stat.uid, gid: stat.gid, mode: stat.mode, readable: kind === 'file' && isReadable(path) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return { kind: code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unseen', ...nothing }
  }
}

/** By trying: access(2) leaves out a capability that reading has. */
function isReadable(path: string): boolean {
  try {
    closeSync(openSync(path, 'r'))
    return true
  } catch {
    return false
  }
}

function namesFor(root: string): Names {
  const shown = (path: string) => shownPath(resolve(root, path))
  return { shown, word: (path) => shellWord(shown(path)), command: (line) => stackCommand(root, line) }
}

type Read = (path: string) => string | undefined

function aclFacts(spec: StackSpec, read: Read): AclFacts {
  const at = (file: string) => `${spec.files.secrets}/${file}`
  const credentials = parseCredentials(read(at(secretFiles.env)) ?? '')
  const onFile = (path: string, text: string | undefined): PasswordOnFile[] =>
    text === undefined ? [] : [{ path, sha256: text === '' ? null : sha256Hex(text) }]
  const passwords = Object.entries(spec.users).map(([name, { env, password_file: file }]) => {
    const own = file === undefined ? undefined : read(at(file))?.replace(/\r?\n$/, '')
    const given = [...onFile(at(secretFiles.env), credentials.get(env)), ...onFile(at(file ?? ''), own)]
    return [name, given] as const
  })
  return { text: read(at(secretFiles.acl)), passwords: new Map(passwords) }
}

function composeFacts({ root, spec }: StackPlace, text: string | undefined): ComposeFacts {
  const file = resolve(root, spec.files.compose)
  return {
    file: text === undefined ? 'absent' : parseYaml(text),
    wanted: partsFor(spec, root, file),
    absolute: (path) => resolve(dirname(file), path),
    places: { certs: resolve(root, spec.files.certs), secrets: resolve(root, spec.files.secrets) },
  }
}

function parseYaml(text: string): ComposeFacts['file'] {
  const read = readYaml(text)
  if ('reason' in read) return { error: read.reason.replace(/:$/, '') }
  const tags = new Set<string>()
  visit(read.document, {
    Node(_, { tag }) {
      if (tag !== undefined && !tag.startsWith('tag:yaml.org')) tags.add(tag)
    },
  })
  return { data: read.value, tags: [...tags] }
}

function scriptsFacts(spec: StackSpec, read: Read): ScriptsFacts {
  const facts = Object.entries(renderScripts(spec)).flatMap(([name, text]) => {
    const present = read(`${spec.files.scripts}/${name}`)
    return present === undefined ? [] : [[name, present === text ? 'same' : 'differs'] as const]
  })
  return new Map(facts)
}

/** A word shorter than this would be a password by chance. */
const MIN_PASSWORD = 12

/** Digests of the longer words of every file that others may read. */
function openTexts(spec: StackSpec, read: Read): OpenText[] {
  const { compose, config, scripts } = spec.files
  const paths = [SPEC_FILE, compose, config, ...Object.values(scriptFiles).map((name) => join(scripts, name))]
  return paths.flatMap((path) => {
    const text = read(path)
    if (text === undefined) return []
    const words = text.split('\n').flatMap((content, i) =>
      content
        .split(/[\s"'`=:,;|&()[\]{}<>@/]+/)
        .filter((word) => word.length >= MIN_PASSWORD)
        .map((word) => ({ sha256: sha256Hex(word), line: i + 1 })),
    )
    return [{ path, words }]
  })
}
