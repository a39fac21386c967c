/** Whether a stack's scripts are those that stack.yaml makes. */
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { scriptFiles } from '../places.ts'
import type { StackSpec } from '../spec.ts'
import type { Names } from './facts.ts'

/** By the name of a script: whether its text is as it is made; of one that cannot be read nothing is said. */
export type ScriptsFacts = ReadonlyMap<string, 'same' | 'differs'>

const CHECK = 'scripts'

export function judgeScripts({ files }: StackSpec, facts: ScriptsFacts, { shown, command }: Names): Finding[] {
  const fix = command('scripts --force')
  const findings = [...facts].flatMap(([name, is]): Finding[] => {
    if (is === 'same') return []
    const path = shown(`${files.scripts}/${name}`)
    return name === scriptFiles.health
      ? [fail(CHECK, `${path} is not as it is made, and runs in the container as its health check`, fix)]
      : [warn(CHECK, `${path} is not what stack.yaml makes: it would put back other rules`, fix)]
  })
  if (findings.length > 0) return findings
  return facts.size === 0 ? [] : [ok(CHECK, 'as stack.yaml makes them')]
}
