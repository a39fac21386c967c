/**
 * Puts a stack's parts into a compose file that somebody keeps by hand: every line of theirs stays where it is and as it
 * is. Text is inserted or exchanged, nothing is printed anew; what comes out is read again and must mean the two together.
 */
import { realpathSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, isScalar, type Pair, type YAMLMap } from 'yaml'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import type { ComposeParts } from '../domain/stack/compose.ts'
import { composeLine, partsFor, yamlOf } from './compose-file.ts'
import { placementOf, readText, told, writeText } from './files.ts'
import { addFile, type Report, shownPath, stackCommand } from './report.ts'
import type { StackPlace } from './stack-place.ts'
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
 * @param options.force exchanges entries of our names that say something else
 * @param options.forceLine the command that does
 * @throws CliError where the file is no compose file, or has such entries and `force` is off
 */
export function mergeCompose(
  text: string,
  parts: ComposeParts,
  path: string,
  { force, forceLine }: { force: boolean; forceLine: string },
): Merged {
  // Worked on with plain line ends, and given back with its own.
  const isCrLf = /\r\n/.test(text) && !/[^\r]\n/.test(text)
  let current = isCrLf ? text.replaceAll('\r\n', '\n') : text
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
        const merged = put(current, before.document, section, name, wanted)
        if (merged === undefined || !means(merged, before, section, name, wanted))
          throw unreachable(path, section, name)
        current = merged
        result.added.push(`${section}.${name}`)
      }
    }
  }
  if (conflicts.length > 0)
    throw new CliError(exitCodes.conflict, `${path} has entries of these names that say something else`, {
      reasons: conflicts,
      next: `Rename yours, or exchange them: ${forceLine}`,
    })
  return { ...result, text: isCrLf ? current.replaceAll('\n', '\r\n') : current }
}

const plain = (value: object): unknown => JSON.parse(JSON.stringify(value))

/** @throws CliError where the text is no compose file: no YAML, no mapping, or a section that is none */
function readFile(text: string, path: string): File {
  const read = readYaml(text)
  const value = 'reason' in read ? undefined : (read.value ?? {})
  const file = isMapping(value) ? (value as File['value']) : {}
  const wrong = sections.find((name) => (file[name] ?? null) !== null && !isMapping(file[name]))
  if (!('reason' in read) && isMapping(value) && wrong === undefined) return { document: read.document, value: file }
  const reason = 'reason' in read ? read.reason : wrong === undefined ? 'it is no mapping' : `${wrong} is no mapping`
  throw new CliError(exitCodes.failed, `${path} is not a compose file that can be added to`, {
    reasons: [reason],
    next: `Mend it; this says more: ${composeLine(path, 'config --quiet')}`,
  })
}

const isMapping = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

const nameOf = ({ key }: Pair): unknown => (isScalar(key) ? key.value : undefined)
const pairOf = (map: unknown, name: string): Pair | undefined =>
  isMap(map) ? (map as YAMLMap).items.find((pair) => nameOf(pair) === name) : undefined

/**
 * Adds or exchanges one entry of a section, in the indentation of its neighbours.
 * @returns undefined where that cannot be done as text: within braces
 */
function put(text: string, document: Document, section: Section, name: string, value: object): string | undefined {
  const lines = (columns: number) => indented(yamlOf({ [name]: value }, false), columns)
  const pair = pairOf(document.contents, section)
  if (pair === undefined) {
    const gap = text === '' || text.endsWith('\n') ? '' : '\n'
    return `${text}${gap}${text.trim() === '' ? '' : '\n'}${section}:\n${lines(2)}`
  }
  const map = pair.value
  const keyEnd = isScalar(pair.key) ? (pair.key.range?.[1] ?? 0) : 0
  if (map === null || (isScalar(map) && map.value === null)) return splice(text, lineEnd(text, keyEnd), lines(2))
  if (!isMap(map)) return undefined
  if (map.items.length === 0) {
    const [from = 0, to = 0] = map.range ?? []
    return splice(
      `${text.slice(0, from).trimEnd()}${text.slice(to)}`,
      lineEnd(text.slice(0, from).trimEnd() + text.slice(to), keyEnd),
      lines(2),
    )
  }
  if (map.flow) return undefined
  const old = pairOf(map, name)
  const column = columnOf(text, map)
  if (old === undefined) return splice(text, lineEnd(text, map.range?.[1] ?? text.length), lines(column))
  const from = isScalar(old.key) ? lineStart(text, old.key.range?.[0] ?? 0) : 0
  const to = lineEnd(text, (old.value as { range?: [number, number, number] } | null)?.range?.[1] ?? keyEnd)
  return `${text.slice(0, from)}${lines(column)}${text.slice(to)}`
}

const indented = (text: string, columns: number) => text.replace(/^(?=.)/gm, ' '.repeat(columns))

/** Puts whole lines in at a place that begins a line, or ends the text. */
function splice(text: string, at: number, lines: string): string {
  const before = text.slice(0, at)
  return `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${lines}${text.slice(at)}`
}

const lineStart = (text: string, at: number): number => text.lastIndexOf('\n', at - 1) + 1

/** Behind the line break of the line that holds this place, a comment behind a value included. */
function lineEnd(text: string, at: number): number {
  if (at > 0 && text[at - 1] === '\n') return at
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end + 1
}

function columnOf(text: string, map: YAMLMap): number {
  const key = map.items[0]?.key
  const start = isScalar(key) ? (key.range?.[0] ?? 0) : 0
  return start - lineStart(text, start)
}

/** Whether a text means what was there and the entry. */
function means(text: string, before: File, section: Section, name: string, value: object): boolean {
  const expected = { ...before.value, [section]: { ...before.value[section], [name]: plain(value) } }
  const read = readYaml(text)
  return !('reason' in read) && isDeepStrictEqual(read.value, expected)
}

const unreachable = (path: string, section: Section, name: string) =>
  new CliError(exitCodes.conflict, `${section}.${name} cannot be put into ${path} without printing other lines anew`, {
    next: `Write ${section} as a block, an entry a line without braces, then run the command again.`,
  })

/** The compose file that the stack is added to. @throws CliError where there is none */
export function readTarget(path: string): string {
  const present = readText(path)
  if (present !== undefined) return present
  throw new CliError(exitCodes.notFound, `There is no ${shownPath(path)} to add to`, {
    next: 'Make it, or leave --into out: a compose file of its own is then written.',
  })
}

/** What the file would be. @throws CliError as mergeCompose; nothing is written */
export function mergedText({ root, spec }: StackPlace, path: string, force: boolean): Merged {
  const forceLine = stackCommand(root, `compose --into ${shownPath(path)} --force`)
  return mergeCompose(readTarget(path), partsFor(spec, root, path), shownPath(path), { force, forceLine })
}

/** Puts the stack into a compose file that is there; its mode and owner stay, and a link stays one. */
export function mergeIntoFile(place: StackPlace, path: string, force: boolean, report: Report): void {
  const merged = mergedText(place, path, force)
  for (const network of merged.keptNetworks)
    report.notes.push(
      `${shownPath(path)} has the network ${network} already, and keeps it as it is: only internal: true keeps the server off other networks`,
    )
  if (merged.text === readTarget(path)) return addFile(report, path, 'kept')
  const file = told(`cannot read ${shownPath(path)}`, () => realpathSync(path))
  writeText(report, file, merged.text, placementOf(file))
}
