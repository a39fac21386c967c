/** Reads the text that valkey writes: a line of ACL LIST, a line or the whole of an aclfile. */
import type { AclUser } from './acl-user.ts'
import { canonicalChannels, canonicalCommands, canonicalKeys } from './canonical.ts'

/** The text is no ACL that valkey would write. Its message never repeats a word of the text: it may hold a password. */
export class AclTextError extends Error {
  override name = 'AclTextError'
}

/** What a user and a selector both have. */
export type AclScope = Pick<AclUser, 'commands' | 'keys' | 'channels'> & { databases: string | undefined }

const freshScope = (): AclScope => ({ commands: [], keys: [], channels: [], databases: undefined })

/** Applies one word to a scope; false when the word is none of a scope's. */
function applyToScope(scope: AclScope, word: string): boolean {
  const lower = word.toLowerCase()
  if (/^[+-]./.test(word) || lower === 'allcommands' || lower === 'nocommands') scope.commands.push(lower)
  else if (/^(~|%[RW]{1,2}~)/i.test(word)) scope.keys.push(word)
  else if (lower === 'allkeys') scope.keys = ['~*']
  else if (lower === 'resetkeys') scope.keys = []
  else if (word.startsWith('&')) scope.channels.push(word)
  else if (lower === 'allchannels') scope.channels = ['&*']
  else if (lower === 'resetchannels') scope.channels = []
  else if (lower === 'alldbs') scope.databases = undefined
  else if (lower === 'resetdbs' || lower.startsWith('db=')) scope.databases = lower
  else return false
  return true
}

/** Words at spaces; a selector, from its opening word to its closing one, is one word. */
function splitWords(text: string): string[] {
  const words: string[] = []
  let open: string | undefined
  for (const word of text.trim().split(/ +/)) {
    const grown: string = open === undefined ? word : `${open} ${word}`
    if (grown.startsWith('(') && !grown.endsWith(')')) open = grown
    else {
      words.push(grown)
      open = undefined
    }
  }
  if (open !== undefined) throw new AclTextError('a selector is not closed')
  return words
}

/**
 * A selector's meaning as one text, for comparison.
 * @param selector with its parentheses
 * @throws AclTextError
 */
export function canonicalSelector(selector: string): string {
  const scope = freshScope()
  for (const word of selector.slice(1, -1).split(/ +/).filter(Boolean)) {
    if (!applyToScope(scope, word)) throw new AclTextError('a selector has a word of no meaning')
  }
  const { commands, keys, channels, databases } = scope
  const all = [
    ...canonicalKeys(keys),
    ...canonicalChannels(channels),
    databases ?? 'alldbs',
    ...canonicalCommands(commands),
  ]
  return `(${all.join(' ')})`
}

function applyToUser(user: AclUser, sanitize: { skip: boolean }, word: string): void {
  const lower = word.toLowerCase()
  const digest = /^[#!][0-9a-f]{64}$/i.test(word) ? lower.slice(1) : undefined
  if (lower === 'on' || lower === 'off') user.on = lower === 'on'
  else if (lower === 'nopass') Object.assign(user, { nopass: true, passwords: [] })
  else if (lower === 'resetpass') Object.assign(user, { nopass: false, passwords: [] })
  else if (digest !== undefined && word.startsWith('#')) {
    user.nopass = false
    if (!user.passwords.includes(digest)) user.passwords.push(digest)
  } else if (digest !== undefined) user.passwords = user.passwords.filter((old) => old !== digest)
  else if (lower === 'sanitize-payload' || lower === 'skip-sanitize-payload')
    sanitize.skip = lower !== 'sanitize-payload'
  else if (lower === 'clearselectors') user.selectors = []
  else if (word.startsWith('(')) user.selectors.push(word)
  else throw new AclTextError('a user has a word of no meaning')
}

/**
 * Reads `user NAME …` as ACL LIST and ACL SAVE write it (8.0 to 9.1).
 * Commands come back in valkey's own canonical form, beginning with `-@all` or `+@all`.
 * @throws AclTextError on anything else, plain passwords (`>…`) and `reset` among it
 */
export function parseAclLine(line: string): AclUser {
  const [keyword, name, ...words] = splitWords(line)
  if (keyword !== 'user' || name === undefined) throw new AclTextError('the line does not begin with "user NAME"')
  const scope = freshScope()
  const sanitize = { skip: false }
  const user: AclUser = {
    name,
    on: false,
    nopass: false,
    passwords: [],
    commands: [],
    keys: [],
    channels: [],
    selectors: [],
  }
  for (const word of words) {
    if (!applyToScope(scope, word)) applyToUser(user, sanitize, word)
  }
  const others = [...(sanitize.skip ? ['skip-sanitize-payload'] : []), ...(scope.databases ? [scope.databases] : [])]
  return {
    ...user,
    commands: canonicalCommands(scope.commands),
    keys: scope.keys,
    channels: scope.channels,
    ...(others.length > 0 ? { others } : {}),
  }
}

/**
 * Reads a whole aclfile; blank lines count for nothing.
 * @throws AclTextError as parseAclLine, and on a user named twice (the server refuses such a file)
 */
export function parseAclFile(text: string): AclUser[] {
  const users = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map(parseAclLine)
  if (new Set(users.map(({ name }) => name)).size !== users.length) throw new AclTextError('a user is named twice')
  return users
}
