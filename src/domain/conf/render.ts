import type { Directive } from './directive.ts'
import { quoteArg } from './quote.ts'

const HEADER = '# Written by Valkeep. Edits made here are found and replaced: change the instance instead.'
const NAME = /^[a-z][a-z0-9-]*$/

/**
 * The text of a valkey.conf: `parseConf(renderConf(d))` is `d`, whatever the values hold.
 * @throws TypeError on what no configuration file can carry: a name that is none, no argument, a NUL byte (valkey
 *   would silently cut the value there), half of a surrogate pair
 */
export function renderConf(directives: readonly Directive[]): string {
  return `${[HEADER, ...directives.map(renderDirective)].join('\n')}\n`
}

/** Directives that belong together, and why they are so: each comment is a line of its own, since one behind a directive is fatal. */
export type ConfSection = { comment: readonly string[]; directives: readonly Directive[] }

/**
 * A valkey.conf for people to read: `parseConf` of it is the sections' directives, one after the other.
 * @param header the first lines, without `#`
 * @throws TypeError as renderConf, and on a comment that would be more than one line
 */
export function renderConfSections(header: readonly string[], sections: readonly ConfSection[]): string {
  const blocks = sections.map(({ comment, directives }) => [
    ...comment.map(renderComment),
    ...directives.map(renderDirective),
  ])
  return [header.map(renderComment), ...blocks].map((lines) => `${lines.join('\n')}\n`).join('\n')
}

function renderComment(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new TypeError('a comment is one line')
  return `# ${text}`
}

function renderDirective({ name, args }: Directive): string {
  if (!NAME.test(name)) throw new TypeError('not a directive name')
  if (args.length === 0) throw new TypeError(`directive ${name} has no value`)
  if (args.some((arg) => arg.includes('\0'))) throw new TypeError(`directive ${name} holds a NUL byte`)
  return [name, ...args.map(quoteArg)].join(' ')
}

/**
 * Puts layers of directives over each other: a later layer replaces every directive of the same name in the earlier
 * ones (all its lines, for those that may repeat), so `overlay(defaults, settings, mandatory)` is the whole precedence.
 */
export function overlay(...layers: readonly Directive[][]): Directive[] {
  const merged = new Map<string, Directive[]>()
  for (const layer of layers) {
    for (const [name, directives] of Map.groupBy(layer, (directive) => directive.name)) merged.set(name, directives)
  }
  return [...merged.values()].flat()
}
