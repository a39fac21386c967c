/** What a list of command rules permits, worked out over the command table the way valkey's acl.c applies rules. */
import { COMMANDS, type Command } from './command-table.ts'

/** A container's permission covers its subcommands: `+@slow` reaches CLIENT, and through it CLIENT KILL. */
function setOne(permitted: Set<string>, command: Command, allow: boolean): void {
  for (const name of [command.name, ...command.subcommands]) {
    if (allow) permitted.add(name)
    else permitted.delete(name)
  }
}

/**
 * Full names of the commands that a rule list permits, starting from nothing.
 * Rules it does not know change nothing; commands that no ACL can take away are left out unless a rule gives them.
 * @param rules lower-case rules in order: `+@read`, `-client|kill`
 */
export function permittedCommands(rules: readonly string[]): Set<string> {
  const permitted = new Set<string>()
  for (const rule of rules) {
    const allow = rule.startsWith('+')
    const subject = rule.slice(1)
    if (subject.startsWith('@')) {
      const category = subject.slice(1)
      for (const command of COMMANDS.values()) {
        if (category === 'all' || command.categories.includes(category)) setOne(permitted, command, allow)
      }
    } else {
      const command = COMMANDS.get(subject)
      if (command !== undefined) setOne(permitted, command, allow)
    }
  }
  return permitted
}
