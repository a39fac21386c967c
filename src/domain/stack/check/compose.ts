/** Whether a compose file runs a stack as hardened as stack.yaml promises. */
import { fail, type Finding } from '../../finding.ts'
import { type ComposeParts, handoverService } from '../compose.ts'
import type { StackSpec } from '../spec.ts'
import type { ComposeCase } from './compose-case.ts'
import { confinedJudges } from './compose-confined.ts'
import { handover } from './compose-handover.ts'
import { keys } from './compose-keys.ts'
import { mountJudges } from './compose-mounts.ts'
import { readCompose } from './compose-read.ts'
import { runJudges } from './compose-run.ts'
import type { Names } from './facts.ts'

export type ComposeFacts = {
  /** The YAML as data, and tags in it that only docker compose knows; `absent` where there is no file to read, which is another finding. */
  file: { data: unknown; tags?: readonly string[] } | { error: string } | 'absent'
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
  const isShared = spec.files.compose_shared || compose.services.some((service) => !own.includes(service))
  const into = (flags: string) => names.command(`compose --into ${names.word(spec.files.compose)}${flags}`)
  const has = compose.service(name)
  const wanted = readCompose(facts.wanted).service(name)
  if (wanted === undefined) throw new Error(`no service ${name} is made of stack.yaml`)
  if (has === undefined)
    return [fail('compose file', `${path} has no service ${name}`, isShared ? into('') : wholeAnew)]
  const anew = isShared ? into(' --force') : wholeAnew
  const { absolute, places } = facts
  const given: ComposeCase = { spec, path, compose, has, wanted, anew, isShared, absolute, places }
  const judges = [...runJudges, handover, ...confinedJudges, ...mountJudges, keys]
  return [...tagged(facts.file.tags ?? [], path, anew), ...judges.flatMap((judge) => judge(given))]
}

/** `!reset` takes a line away before docker compose reads it. */
function tagged(tags: readonly string[], path: string, anew: string): Finding[] {
  if (tags.length === 0) return []
  const detail = `${path}: ${tags.join(', ')}: docker compose changes what stands there`
  return [fail('compose file', detail, `Write the value without ${tags.join(', ')}. Or write it anew: ${anew}`)]
}
