/** Whether a compose file runs a stack as hardened as stack.yaml promises. */
import { fail, type Finding } from '../../finding.ts'
import { type ComposeParts, handoverService } from '../compose.ts'
import type { StackSpec } from '../spec.ts'
import type { ComposeCase } from './compose-case.ts'
import { confinedJudges } from './compose-confined.ts'
import { mountJudges } from './compose-mounts.ts'
import { readCompose } from './compose-read.ts'
import { runJudges } from './compose-run.ts'
import type { Names } from './facts.ts'

export type ComposeFacts = {
  /** The YAML as data; `absent` where there is no file to read, which is another finding. */
  file: { data: unknown } | { error: string } | 'absent'
  /** What stack.yaml makes of it. */
  wanted: ComposeParts
  absolute: ComposeCase['absolute']
  places: ComposeCase['places']
}

export function judgeCompose(spec: StackSpec, facts: ComposeFacts, names: Names): Finding[] {
  if (facts.file === 'absent') return []
  const { name } = spec.service
  const path = names.shown(spec.files.compose)
  const wholeAnew = names.command('compose --force')
  if ('error' in facts.file)
    return [fail('compose file', `${path} is not YAML: ${facts.file.error}`, `Mend it, or write it anew: ${wholeAnew}`)]
  const compose = readCompose(facts.file.data)
  const own = [name, handoverService(spec)]
  // In a file with other services only ours are replaced.
  const isShared = compose.services.some((service) => !own.includes(service))
  const into = (flags: string) => names.command(`compose --into ${names.word(spec.files.compose)}${flags}`)
  const has = compose.service(name)
  const wanted = readCompose(facts.wanted).service(name)
  if (wanted === undefined) throw new Error(`no service ${name} is made of stack.yaml`)
  if (has === undefined)
    return [fail('compose file', `${path} has no service ${name}`, isShared ? into('') : wholeAnew)]
  const anew = isShared ? into(' --force') : wholeAnew
  const given: ComposeCase = { spec, path, compose, has, wanted, anew, absolute: facts.absolute, places: facts.places }
  return [...runJudges, ...confinedJudges, ...mountJudges].flatMap((judge) => judge(given))
}
