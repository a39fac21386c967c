/** Reads a stack's ACL file the way the server does at its start, and says where it would refuse it. */
import type { AclUser } from '../../acl/acl-user.ts'
import { CATEGORIES, COMMANDS } from '../../acl/command-table.ts'
import { AclTextError, canonicalSelector, parseAclLine } from '../../acl/parse.ts'

/**
 * @property kind `refused`: the server does not start on it; `plain`: it holds a password itself; `odd`: no generator writes it
 * @property user whose line it is, where it has got as far as a name
 * @property reason never repeats a word of the line
 */
export type AclTextProblem = {
  line: number
  reason: string
  kind: 'refused' | 'plain' | 'odd'
  user: string | undefined
}
type Fault = Pick<AclTextProblem, 'reason' | 'kind'>

/**
 * Every user of the file, or the first line that cannot stand (tried on 8.0.1): the server takes blank lines, CRLF and space at
 * either end, and neither comments, tabs between words, a second space before the name, nor a digest in capitals.
 */
export function readAclText(text: string): { users: AclUser[] } | { problem: AclTextProblem } {
  const users = new Map<string, AclUser>()
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, '')
    if (line === '') continue
    const read = readLine(line)
    const name = 'name' in read ? read.name : line.split(' ')[1]
    if ('reason' in read) return { problem: { line: index + 1, ...read, user: name } }
    if (users.has(read.name))
      return { problem: { line: index + 1, ...refused('names a user a second time'), user: name } }
    users.set(read.name, read)
  }
  return { users: [...users.values()] }
}

const refused = (reason: string): Fault => ({ reason, kind: 'refused' })

function readLine(line: string): AclUser | Fault {
  const fault = lineFault(line)
  if (fault !== undefined) return fault
  try {
    const user = parseAclLine(line)
    for (const selector of user.selectors) canonicalSelector(selector)
    return user
  } catch (error) {
    if (error instanceof AclTextError) return refused(`cannot be read: ${error.message}`)
    throw error
  }
}

/** What is wrong with a line, as the end of a sentence. */
function lineFault(line: string): Fault | undefined {
  if (line.startsWith('#')) return refused('is a comment, which an ACL file may not hold')
  if (line.startsWith('\ufeff')) return refused('begins with a byte order mark')
  if (!line.startsWith('user '))
    return refused('does not begin with "user NAME", in lower case and with a space between')
  const [, name, ...words] = line.split(' ')
  if (name === undefined || name === '') return refused('has more than one space before the name of the user')
  const all = { keys: false, channels: false }
  for (const word of words.filter(Boolean)) {
    const fault = wordFault(word) ?? patternFault(word.toLowerCase(), all)
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Behind the pattern for everything no other may stand. @param all whether there was one so far */
function patternFault(word: string, all: { keys: boolean; channels: boolean }): Fault | undefined {
  if (all.keys && /^(~|%)/.test(word) && word !== '~*') return refused('has a key pattern after ~*')
  if (all.channels && word.startsWith('&') && word !== '&*') return refused('has a channel pattern after &*')
  // A selector has patterns of its own.
  const isSelector = word.startsWith('(')
  if (word === '~*' || word === 'allkeys') all.keys = true
  if (isSelector || word === 'resetkeys') all.keys = false
  if (word === '&*' || word === 'allchannels') all.channels = true
  if (isSelector || word === 'resetchannels') all.channels = false
  return undefined
}

function wordFault(word: string): Fault | undefined {
  if (/^[<>]/.test(word))
    return { reason: 'holds a password in plain text, where only its digest belongs', kind: 'plain' }
  if (word.toLowerCase() === 'reset') return { reason: 'says reset, which a file has no use for', kind: 'odd' }
  if (/^[#!]/.test(word) && !/^.[0-9a-f]{64}$/.test(word))
    return refused('has a digest that is not 64 hexadecimal digits in lower case')
  const rule = /^[(]?[+-](.*?)[)]?$/.exec(word)?.[1]?.toLowerCase()
  const fault = rule === undefined ? undefined : ruleFault(rule)
  return fault === undefined ? undefined : refused(fault)
}

/** `get|x` limits a command without subcommands to a first argument; the server still takes it. */
function ruleFault(rule: string): string | undefined {
  if (rule.startsWith('@'))
    return rule === '@all' || CATEGORIES.includes(rule.slice(1)) ? undefined : 'has a rule on a category that is none'
  if (COMMANDS.has(rule)) return undefined
  const container = COMMANDS.get(rule.split('|')[0] ?? '')
  return rule.includes('|') && container !== undefined && container.subcommands.length === 0
    ? undefined
    : 'has a rule on a command that is none'
}
