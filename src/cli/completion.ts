/** Shell completion: each shell's script asks the program itself, so that it never goes stale. */
import { type Application, buildCommand, type Command, proposeCompletions } from '@stricli/core'
import { args } from './command.ts'
import type { Context } from './context.ts'

const bash = `# valkeep completion for bash. Load it with: source <(valkeep completion bash)
_valkeep() {
  local IFS=$'\\n'
  COMPREPLY=($("$1" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _valkeep valkeep
`

const zsh = `#compdef valkeep
# valkeep completion for zsh. Load it with: source <(valkeep completion zsh)
_valkeep() {
  local -a found
  found=("\${(@f)$("\${words[1]}" complete --describe -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  found=("\${found[@]//:/\\\\:}")
  found=("\${found[@]/$'\\t'/:}")
  _describe valkeep found || _files
}
compdef _valkeep valkeep
`

const fish = `# valkeep completion for fish. Load it with: valkeep completion fish | source
function __valkeep_complete
  set -l words (commandline -opc) (commandline -ct)
  valkeep complete --describe -- $words[2..-1] 2>/dev/null
end
complete -c valkeep -a '(__valkeep_complete)'
`

const scripts = { bash, zsh, fish }
type Shell = keyof typeof scripts
const shells = Object.keys(scripts) as Shell[]

function parseShell(text: string): Shell {
  const shell = shells.find((name) => name === text)
  if (shell === undefined) throw new SyntaxError(`not one of ${shells.join(', ')}`)
  return shell
}

export const completionCommand = buildCommand<object, [Shell], Context>({
  func(this: Context, _, shell) {
    this.stdout.write(scripts[shell])
  },
  parameters: {
    positional: args({
      placeholder: shells.join('|'),
      brief: 'The shell',
      parse: parseShell,
      proposeCompletions: () => shells,
    }),
  },
  docs: {
    brief: 'Print a completion script for a shell',
    fullDescription:
      'Print a completion script for a shell.\n\nFor example, in ~/.bashrc: source <(valkeep completion bash)',
  },
})

/** What the scripts call: proposes what may stand in place of the last word. */
export const completeCommand = (app: () => Application<Context>): Command<Context> =>
  buildCommand<{ describe: boolean }, string[], Context>({
    async func(this: Context, flags, ...words) {
      const proposed = await proposeCompletions(app(), words, this)
      const line = (each: { completion: string; brief: string }) =>
        flags.describe ? `${each.completion}\t${each.brief}` : each.completion
      this.stdout.write(proposed.map((each) => `${line(each)}\n`).join(''))
    },
    parameters: {
      flags: { describe: { kind: 'boolean', default: false, withNegated: false, brief: 'With what each means' } },
      positional: { kind: 'array', parameter: { placeholder: 'WORD', brief: 'What is typed so far', parse: String } },
    },
    docs: { brief: 'Propose completions' },
  })
