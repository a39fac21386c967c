import type { Directive } from './directive.ts'
import { splitArgs } from './split-args.ts'

/** A configuration text that valkey would refuse. `line` counts from 1. The message never quotes the text. */
export class ConfSyntaxError extends Error {
  readonly line: number

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`)
    this.name = 'ConfSyntaxError'
    this.line = line
  }
}

/**
 * Parses the text of a valkey.conf: one directive a line, comments only on lines of their own, names in any case.
 * @throws ConfSyntaxError at the first line that valkey itself could not split
 */
export function parseConf(text: string): Directive[] {
  const directives: Directive[] = []
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, '')
    if (line === '' || line.startsWith('#')) continue
    const args = splitArgs(line)
    if (!Array.isArray(args)) throw new ConfSyntaxError(index + 1, args.failure)
    const [name, ...rest] = args
    if (name !== undefined) directives.push({ name: name.toLowerCase(), args: rest })
  }
  return directives
}
