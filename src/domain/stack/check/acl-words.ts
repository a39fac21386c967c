/** In which ways an ACL user is not what stack.yaml says, in words. */
import type { AclUser } from '../../acl/acl-user.ts'
import { canonicalChannels, canonicalCommands, canonicalKeys } from '../../acl/canonical.ts'
import { COMMANDS } from '../../acl/command-table.ts'
import { permittedCommands } from '../../acl/evaluate.ts'

const typed = (name: string): string => name.toUpperCase().replace('|', ' ')
const without = (all: readonly string[], some: readonly string[]) => all.filter((each) => !some.includes(each))

const MOST = 8
/** A few of them, and how many more there are. */
export const listed = (all: readonly string[]): string =>
  all.length <= MOST ? all.join(', ') : `${all.slice(0, MOST).join(', ')} and ${all.length - MOST} more`

/** Commands of @admin and @dangerous among these; INFO, which client libraries need, aside. */
export function dangerousAmong(commands: Iterable<string>): string[] {
  return [...commands]
    .filter((name) => name !== 'info')
    .filter((name) => COMMANDS.get(name)?.categories.some((category) => /^(admin|dangerous)$/.test(category)))
    .map(typed)
    .sort()
}

export type AclDifference = {
  /** What is there beyond stack.yaml, and what is missing: clauses of one sentence. */
  words: string[]
  /** It can do nothing more and nothing less: the rules are only written otherwise. */
  isSpelling: boolean
}

/** Passwords, name and state aside. */
export function aclDifference(actual: AclUser, wanted: AclUser): AclDifference {
  const commands = commandWords(actual.commands, wanted.commands)
  const others = [
    ...patternWords('key pattern', canonicalKeys(actual.keys), canonicalKeys(wanted.keys)),
    ...patternWords('channel pattern', canonicalChannels(actual.channels), canonicalChannels(wanted.channels)),
    ...(actual.selectors.length > 0 ? ['it has selectors, which stack.yaml knows nothing of'] : []),
    ...(actual.others ?? []).map((flag) => `it has ${flag}`),
  ]
  return { words: [...commands.words, ...others], isSpelling: commands.isSpelling && others.length === 0 }
}

function patternWords(what: string, actual: readonly string[], wanted: readonly string[]): string[] {
  const more = without(actual, wanted)
  const less = without(wanted, actual)
  return [
    ...(more.length > 0 ? [`a ${what} more: ${listed(more)}`] : []),
    ...(less.length > 0 ? [`a ${what} less: ${listed(less)}`] : []),
  ]
}

/** First what they do, which is what counts; a file of other rules with the same effect is only another spelling. */
function commandWords(actual: readonly string[], wanted: readonly string[]): AclDifference {
  const [has, should] = [canonicalCommands(actual), canonicalCommands(wanted)]
  if (has.join(' ') === should.join(' ')) return { words: [], isSpelling: true }
  const [may, mayBy] = [permittedCommands(has), permittedCommands(should)]
  const more = without([...may], [...mayBy])
    .map(typed)
    .sort()
  const less = without([...mayBy], [...may])
    .map(typed)
    .sort()
  const rules = [...ruleWords('rules more', without(has, should)), ...ruleWords('rules less', without(should, has))]
  const words = [
    ...(rules.length > 0 ? rules : ['the same rules in another order']),
    ...(more.length > 0 ? [`so it may run ${listed(more)}`] : []),
    ...(less.length > 0 ? [`so it may not run ${listed(less)}`] : []),
  ]
  return { words, isSpelling: more.length === 0 && less.length === 0 && rules.every((rule) => !rule.includes('|…')) }
}

/** A first argument of a command (`+get|x`) can be any text: it is not shown. */
const ruleWords = (what: string, rules: readonly string[]): string[] =>
  rules.length === 0
    ? []
    : [`${what}: ${listed(rules.map((rule) => (isKnown(rule) ? rule : rule.replace(/\|.*/, '|…'))))}`]

const isKnown = (rule: string) => rule.startsWith('@', 1) || COMMANDS.has(rule.slice(1))
