/** A configuration file as meanings to compare: one of each directive, of those that repeat one of each thing they say. */
import type { Directive } from '../../conf/directive.ts'
import { meaningOf } from '../../conf/meaning.ts'
import { savedArgs } from '../../conf/same.ts'

/** @property meaning to compare, @property text as a person writes it */
export type Said = { meaning: string; text: string }

/**
 * By name; `rename-command flushall` and `client-output-buffer-limit normal` are names of their own. Elsewhere the last line
 * counts, as in the server.
 */
export function confMeanings(directives: readonly Directive[]): Map<string, Said> {
  const meanings = new Map<string, Said>()
  for (const [name, lines] of Map.groupBy(directives, (directive) => directive.name)) {
    const args = name === 'save' ? savedArgs(lines) : (lines.at(-1)?.args ?? [])
    if (name === 'rename-command')
      for (const line of lines)
        meanings.set(`${name} ${line.args[0]?.toLowerCase()}`, { meaning: line.args[1] ?? '', text: '' })
    else if (name === 'client-output-buffer-limit')
      for (const [key, limit] of bufferLimits(lines)) meanings.set(`${name} ${key}`, limit)
    else meanings.set(name, { meaning: oneMeaning(name, args), text: textOf(args) })
  }
  return meanings
}

const textOf = (args: readonly string[]): string => {
  const text = args.join(' ')
  return text === '' ? '""' : text
}

/** `bind` takes its addresses in any order, and a `-` before one that may be missing. */
function oneMeaning(name: string, args: string[]): string {
  const meaning = meaningOf(name, args)
  if (name !== 'bind') return meaning
  return [...new Set(meaning.split(' ').map((address) => address.replace(/^-/, '')))].toSorted().join(' ')
}

/** `replica` was `slave`; one line may hold several classes. Seconds alone have no unit. */
function bufferLimits(lines: readonly Directive[]): [string, Said][] {
  const words = lines.flatMap(({ args }) => args.flatMap((arg) => arg.split(/\s+/)))
  return Array.from({ length: Math.floor(words.length / 4) }, (_, i) => {
    const [key = '', hard = '', soft = '', seconds = ''] = words.slice(i * 4, i * 4 + 4)
    const size = (text: string) => meaningOf('maxmemory', [text])
    const said = { meaning: `${size(hard)} ${size(soft)} ${seconds}`, text: `${hard} ${soft} ${seconds}` }
    return [key.toLowerCase().replace(/^slave$/, 'replica'), said]
  })
}

/** What a directive means that is not there. `protected-mode` is off in the image (facts §6), whatever the server's default. */
export const defaultMeanings: ReadonlyMap<string, Said> = confMeanings([
  { name: 'port', args: ['6379'] },
  { name: 'tls-port', args: ['0'] },
  { name: 'tls-auth-clients', args: ['yes'] },
  { name: 'tls-protocols', args: ['TLSv1.2 TLSv1.3'] },
  { name: 'bind', args: ['*', '::*'] },
  { name: 'protected-mode', args: ['no'] },
  { name: 'acl-pubsub-default', args: ['resetchannels'] },
  { name: 'maxmemory', args: ['0'] },
  { name: 'maxmemory-clients', args: ['0'] },
  { name: 'maxmemory-policy', args: ['noeviction'] },
  { name: 'appendonly', args: ['no'] },
  { name: 'appendfsync', args: ['everysec'] },
  { name: 'appendfilename', args: ['appendonly.aof'] },
  { name: 'dbfilename', args: ['dump.rdb'] },
  { name: 'save', args: ['3600', '1', '300', '100', '60', '10000'] },
  { name: 'loglevel', args: ['notice'] },
  { name: 'logfile', args: [''] },
  { name: 'maxclients', args: ['10000'] },
  { name: 'timeout', args: ['0'] },
  { name: 'tcp-keepalive', args: ['300'] },
  { name: 'io-threads', args: ['1'] },
  { name: 'databases', args: ['16'] },
  { name: 'client-output-buffer-limit', args: ['normal', '0', '0', '0'] },
  { name: 'client-output-buffer-limit', args: ['replica', '256mb', '64mb', '60'] },
  { name: 'client-output-buffer-limit', args: ['pubsub', '32mb', '8mb', '60'] },
])
