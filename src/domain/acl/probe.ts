/**
 * Sample arguments for every command, found from the command table alone, for `ACL DRYRUN user command args…`:
 * - as many words as the arity asks for at least, each the filler `1` (it reads as a number wherever one is wanted);
 * - a key wherever the key specs say: at an index, with a count before it, up to the end, or behind a keyword
 *   (a keyword spec only where the command has no other: behind an index it is an option, STORE);
 * - a channel as first argument of the five commands whose channels ACLs check.
 * DRYRUN checks arity, command, keys and channels and runs nothing.
 */
import { COMMANDS, type Command, engineHas, type KeySpec } from './command-table.ts'

const FILLER = '1'

/** Valkey keeps these in a table of its own (acl.c: ACL flags for channels), not in COMMAND's answer. */
const CHANNEL_COMMANDS = ['publish', 'spublish', 'subscribe', 'ssubscribe', 'psubscribe']

/** Whether ACLs check a key of this command. */
export const touchesKeys = (command: Command): boolean => command.keys.some(({ begin }) => begin !== 'unknown')

/** Whether ACLs check a channel of this command. */
export const touchesChannels = (command: Command): boolean => CHANNEL_COMMANDS.includes(command.name)

function put(words: string[], at: number, word: string): void {
  while (words.length <= at) words.push(FILLER)
  words[at] = word
}

function putKeys(words: string[], from: number, find: KeySpec['find'], key: string): void {
  if (find === 'unknown') return put(words, from, key)
  if ('countAt' in find) {
    put(words, from + find.countAt, '1')
    return put(words, from + find.firstKey, key)
  }
  put(words, from, key)
  const last = find.lastKey < 0 ? words.length + find.lastKey : from + find.lastKey
  for (let at = from; at <= last; at += find.step) put(words, at, key)
}

/**
 * A command's words with sample arguments.
 * @param key stands wherever the command takes a key
 * @param channel stands wherever it takes a channel
 */
export function sampleWords(command: Command, key: string, channel: string): string[] {
  const words = command.name.split('|')
  const least = Math.abs(command.arity)
  if (touchesChannels(command)) put(words, 1, channel)
  const keyword = command.keys
    .map(({ begin }) => begin)
    .find((begin) => typeof begin === 'object' && 'keyword' in begin)
  const isIndexed = command.keys.some(({ begin }) => typeof begin === 'object' && 'index' in begin)
  if (!isIndexed && typeof keyword === 'object' && 'keyword' in keyword) {
    put(words, Math.max(words.length, least - 3), keyword.keyword)
    words.push(key)
  }
  if (words.length < least) put(words, least - 1, FILLER)
  for (const { begin, find } of command.keys) {
    if (typeof begin === 'object' && 'index' in begin) putKeys(words, begin.index, find, key)
  }
  return words
}

/** Every command of an engine that can be run: containers are not, their subcommands are. */
export function runnableCommands(engineVersion: string): Command[] {
  return [...COMMANDS.values()].filter(
    (command) => command.subcommands.length === 0 && engineHas(command, engineVersion),
  )
}
