import {
  CEILING_RULES,
  CONNECT_COMMANDS,
  FORBIDDEN,
  forbiddenReason,
  underCeiling,
} from '../../src/domain/acl/ceiling.ts'
import { CATEGORIES } from '../../src/domain/acl/command-table.ts'
import { permittedCommands } from '../../src/domain/acl/evaluate.ts'
import { MAX_PATTERN_LENGTH, MAX_PATTERN_STARS } from '../../src/domain/acl/keys.ts'
import { PRESETS } from '../../src/domain/acl/presets.ts'
import { MAX_PRIVILEGE_LENGTH, MAX_PRIVILEGES } from '../../src/domain/acl/rules.ts'
import { PLATFORM_USERS, RESERVED_USERNAME_PREFIX } from '../../src/domain/acl/tenant-user.ts'
import { code, made, tableOf, typed } from './markdown.ts'

const meanings: Record<keyof typeof PRESETS, string> = {
  'read-only': 'Read every kind of value; no writes, no scripts',
  'read-write': 'Read and write every kind of value; no scripts, no publish and subscribe',
  full: 'All that a tenant may do',
  pubsub: 'Publish and subscribe on the channels of `channel_pattern`; no keys',
  queue: 'What job queues stand on: lists, streams, sorted sets, hashes, counters, blocking pops, scripts, events',
}

function presetRows(): string[][] {
  return Object.entries(PRESETS).map(([name, rules]) => {
    const count = permittedCommands(underCeiling(rules)).size
    return [code(name), meanings[name as keyof typeof PRESETS], rules.map(code).join(' '), String(count)]
  })
}

/** Forbidden commands by the reason that the API gives. */
function forbiddenRows(): string[][] {
  const byReason = Map.groupBy([...FORBIDDEN].sort(), forbiddenReason)
  return [...byReason].map(([reason, names]) => [names.map(typed).join(', '), reason])
}

/** Commands of the forbidden categories and containers that are granted back where the rules gave them. */
function grantedBack(): string {
  const full = permittedCommands(underCeiling(PRESETS.full))
  const subtracted = permittedCommands(['+@all'])
  for (const name of permittedCommands(['+@all', ...CEILING_RULES])) subtracted.delete(name)
  return [...subtracted]
    .filter((name) => full.has(name) && !FORBIDDEN.has(name))
    .sort()
    .map(typed)
    .join(', ')
}

const platformRows = [
  [code(PLATFORM_USERS.admin), 'The platform itself. Its password is the instance password, which is never shown'],
  [code(PLATFORM_USERS.replication), 'What a replica logs in as: `PSYNC`, `REPLCONF`, `PING`, `SYNC`'],
  [code(PLATFORM_USERS.monitor), 'Reads figures, never keys, values or arguments of commands'],
  ['`default`', 'Off, without a password and without any right'],
]

/** docs/reference/privileges.md */
export function privilegesReference(): string {
  return `# Privileges

${made}
[Users and privileges](../users-and-privileges.md) explains them; these are the tables.

## Presets

A preset's name stands alone in \`privileges\`. The last column counts commands and subcommands, over all supported engines.

${tableOf(['preset', 'for', 'rules', 'commands'], presetRows())}
## Rules

\`privileges\` is a list of 1 to ${MAX_PRIVILEGES} rules of at most ${MAX_PRIVILEGE_LENGTH} characters, read from left to right after \`-@all\`. Case does not matter.

${tableOf(
  ['rule', 'meaning'],
  [
    ['`+GET`, `get`', 'the command is allowed'],
    ['`-GET`', 'the command is taken away'],
    ['`+client|id`', 'one subcommand; a container as a whole only where no subcommand is forbidden'],
    ['`+@read`, `-@read`', `a category: ${CATEGORIES.map(code).join(', ')}`],
    ['`+@all`, `allcommands`', 'all that a tenant may do'],
    ['`-@all`, `nocommands`', 'nothing; rules after it add again'],
  ],
)}
\`+@admin\` and \`+@dangerous\` are refused, and so is all that is no command rule: passwords, \`nopass\`, key and channel patterns, selectors,
\`on\`, \`off\`, \`reset\`.

## Patterns

\`key_pattern\`: one pattern, \`~\` and a glob (\`~app:*\`; \`*\` is taken for \`~*\`). \`channel_pattern\`: one pattern, \`&\` and a glob, or null for no
channels. At most ${MAX_PATTERN_LENGTH} characters and ${MAX_PATTERN_STARS} stars.

## Always allowed

Every user gets what client libraries send when they connect, unless its rules take it away by name (\`-info\`):
${CONNECT_COMMANDS.map(typed).join(', ')}.

## Never allowed

Subtracted after every list of rules, whatever the list says: ${CEILING_RULES.map(code).join(' ')}. Naming one of these commands is refused with
the reason beside it.

${tableOf(['command', 'reason'], forbiddenRows())}
Granted back where the rules gave it, though its category or container is subtracted: ${grantedBack()}.

## The platform's own users

Usernames that begin with \`${RESERVED_USERNAME_PREFIX}\`, and \`default\`, are the platform's. Sessions are \`${RESERVED_USERNAME_PREFIX}session-…\`.

${tableOf(['user', 'for'], platformRows)}`
}
