/**
 * Puts a stack's parts into a compose file that somebody keeps by hand: every line of theirs stays where it is and as it
 * is. Text is inserted, nothing is printed anew; what comes out is read again and must mean the two together.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isScalar, parseDocument, type YAMLMap } from 'yaml'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import type { ComposeParts } from '../domain/stack/compose.ts'
import { yamlOf } from './compose-file.ts'
import { readYaml } from './yaml-text.ts'

export type Merged = {
  text: string
  /** What was put in: `services.valkey`. */
  added: string[]
  /** A network of that name that the file has already, and keeps as it is. */
  keptNetworks: string[]
}

type Section = keyof ComposeParts
type File = { document: Document; value: Record<string, Record<string, unknown>> }
const sections: Section[] = ['services', 'networks', 'volumes', 'secrets']

/**
 * @param text the file as it is; empty is a file to begin
 * @param path for messages
 * @param force replaces entries of our names that say something else; these alone are printed anew
 * @throws CliError where the file is no compose file, or has such entries and `force` is off
 */
export function mergeCompose(text: string, parts: ComposeParts, path: string, force: boolean): Merged {
  let current = text
  const result: Merged = { text, added: [], keptNetworks: [] }
  const conflicts: string[] = []
  for (const section of sections) {
    for (const [name, wanted] of Object.entries<object>(parts[section])) {
      const before = readFile(current, path)
      const there: unknown = before.value[section]?.[name]
      if (isDeepStrictEqual(there, plain(wanted))) continue
      if (there !== undefined && section === 'networks') result.keptNetworks.push(name)
      else if (there !== undefined && !force) conflicts.push(`${section}.${name}`)
      else {
        current =
          there === undefined
            ? insert(current, before.document, section, name, wanted)
            : replace(before.document, section, name, wanted)
        verify(current, before, section, name, wanted, path)
        result.added.push(`${section}.${name}`)
      }
    }
  }
  if (conflicts.length > 0)
    throw new CliError(exitCodes.conflict, `${path} has entries of these names that say something else`, {
      reasons: conflicts,
      next: 'Rename yours, choose other names in stack.yaml, or replace them: --force',
    })
  return { ...result, text: current }
}

const plain = (value: object): unknown => JSON.parse(JSON.stringify(value))

/** @throws CliError where the text is no compose file: no YAML, no mapping, or a section that is none */
function readFile(text: string, path: string): File {
  const read = readYaml(text)
  const value = 'reason' in read ? undefined : (read.value ?? {})
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value)
  const file = isMapping ? (value as Record<string, Record<string, unknown>>) : {}
  const wrong = sections.find((name) => (file[name] ?? null) !== null && !isPlain(file[name]))
  if (!('reason' in read) && isMapping && wrong === undefined) return { document: read.document, value: file }
  const reason = 'reason' in read ? read.reason : wrong === undefined ? 'it is no mapping' : `${wrong} is no mapping`
  throw new CliError(exitCodes.failed, `${path} is not a compose file that can be added to`, {
    reasons: [reason],
    next: 'Mend it; docker compose config says more.',
  })
}

const isPlain = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Adds one entry to a section, made where it is missing, in the indentation of its neighbours. */
function insert(text: string, document: Document, section: Section, name: string, value: object): string {
  const root = document.contents
  const pair = isMap(root) ? root.items.find(({ key }) => isScalar(key) && key.value === section) : undefined
  const map = pair?.value
  if (pair === undefined) {
    const gap = text === '' || text.endsWith('\n') ? '' : '\n'
    return `${text}${gap}${text.trim() === '' ? '' : '\n'}${section}:\n${indented(entry(name, value), 2)}`
  }
  if (isMap(map) && !map.flow && map.items.length > 0)
    return splice(text, endOf(text, map), indented(entry(name, value), columnOf(text, map)))
  if (map === null || (isScalar(map) && map.value === null)) {
    const at = lineEnd(text, isScalar(pair.key) ? (pair.key.range?.[1] ?? 0) : 0)
    return splice(text, at, indented(entry(name, value), 2))
  }
  return replace(document, section, name, value)
}

const entry = (name: string, value: object): string => yamlOf({ [name]: value }, false)

const indented = (text: string, columns: number) => text.replace(/^(?=.)/gm, ' '.repeat(columns))

/** Puts whole lines after the line that ends at `at`. */
function splice(text: string, at: number, lines: string): string {
  const before = text.slice(0, at)
  return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${lines}${text.slice(at)}`
}

/** Behind the line break of the line that holds this place, a comment behind a value included. */
function lineEnd(text: string, at: number): number {
  if (at > 0 && text[at - 1] === '\n') return at
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end + 1
}

const endOf = (text: string, map: YAMLMap): number => lineEnd(text, map.range?.[1] ?? text.length)

function columnOf(text: string, map: YAMLMap): number {
  const key = map.items[0]?.key
  const start = isScalar(key) ? (key.range?.[0] ?? 0) : 0
  return start - (text.lastIndexOf('\n', start - 1) + 1)
}

/** Where text cannot be put in (a mapping in braces) or has to go: the library prints the file anew, with its comments. */
function replace(document: Document, section: Section, name: string, value: object): string {
  const copy = document.clone()
  const map = copy.get(section)
  if (isMap(map) && map.items.length === 0) map.flow = false
  copy.setIn([section, name], parseDocument(entry(name, value)).get(name, true))
  return copy.toString({ lineWidth: 0 })
}

/** What came out must mean what was there and the entry. */
function verify(text: string, before: File, section: Section, name: string, value: object, path: string): void {
  const expected = { ...before.value, [section]: { ...before.value[section], [name]: plain(value) } }
  if (!isDeepStrictEqual(readFile(text, path).value, expected))
    throw new Error(`adding ${section}.${name} to ${path} would have changed what else it says; nothing was written`)
}
