/** What every judgement of a compose file looks at. */
import { fail, type Finding, ok, warn } from '../../finding.ts'
import type { StackSpec } from '../spec.ts'
import type { ReadCompose, ReadService } from './compose-read.ts'

/** The service as it is, and as stack.yaml wants it, both read alike. */
export type ComposeCase = {
  spec: StackSpec
  /** The file, as a person types it. */
  path: string
  compose: ReadCompose
  has: ReadService
  wanted: ReadService
  /** Writes it anew, as a whole line. */
  anew: string
  /** Other services stand in the file as well. */
  isShared: boolean
  /** Makes a path of the compose file absolute. */
  absolute: (path: string) => string
  /** Absolute paths of the directories of the certificates and the secrets. */
  places: { certs: string; secrets: string }
}

export type Judge = (given: ComposeCase) => Finding[]

const fixOf = ({ spec, anew }: ComposeCase, line: string) =>
  `Under services.${spec.service.name}: ${line}. Or write it anew: ${anew}`

/** @param line what to write under the service */
export const failed = (given: ComposeCase, check: string, detail: string, line: string): Finding =>
  fail(`compose ${check}`, `${given.path}: ${detail}`, fixOf(given, line))

/** As `failed`, where it still works and keeps its promises. */
export const warned = (given: ComposeCase, check: string, detail: string, line: string): Finding =>
  warn(`compose ${check}`, `${given.path}: ${detail}`, fixOf(given, line))

/** The findings; where there are none, that all is well. */
export const orOk = (findings: readonly Finding[], check: string, detail: string): Finding[] =>
  findings.length > 0 ? [...findings] : [ok(`compose ${check}`, detail)]
