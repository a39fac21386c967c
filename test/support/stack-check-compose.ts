/** What the judgements of a compose file are tried on: the file of the default stack, changed. */
import assert from 'node:assert/strict'
import { judgeCompose } from '../../src/domain/stack/check/compose.ts'
import { stackCompose } from '../../src/domain/stack/compose.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import type { StackSpec } from '../../src/domain/stack/spec.ts'
import { type Expected, names } from './stack-check.ts'

export const spec = defaultSpec()
export const paths = {
  secrets: './secrets',
  config: '../config/valkey.conf',
  certs: '../certs/valkey',
  scripts: '../scripts',
}
export type Service = Record<string, unknown>
export type File = {
  services: Record<string, Service>
  networks: Record<string, Service>
  volumes: Record<string, Service>
  secrets: Record<string, Service>
}

export const written = (of: StackSpec = spec): File => JSON.parse(JSON.stringify(stackCompose(of, paths))) as File
/** Of a compose file in /stack/deploy. */
export const absolute = (path: string) =>
  path.startsWith('/') ? path : path.replace(/^\.\.\//, '/stack/').replace(/^\.\//, '/stack/deploy/')

export const judge = (data: unknown, of: StackSpec = spec) =>
  judgeCompose(
    of,
    {
      file: { data },
      wanted: stackCompose(of, paths),
      absolute,
      places: { certs: '/stack/certs/valkey', secrets: '/stack/deploy/secrets' },
    },
    names,
  )

export const broken = (check: string, detail: RegExp, fix?: RegExp): Expected[] => [
  ['fail', `compose ${check}`, detail, fix ?? /valkeep stack compose --force$/],
]
export const otherwise = (check: string, detail: RegExp): Expected[] => [['warn', `compose ${check}`, detail]]
/** Fields of the service in place of its own; undefined takes one out. */
export type Change = Service | ((file: File, service: Service) => void)

export const volumes = (file: File) => file.services['valkey']?.['volumes'] as (string | Service)[]
export const mount =
  (source: string, at: string): Change =>
  (file) =>
    void volumes(file).push(`${source}:${at}:ro`)

/** The file with a change, as it is read from a disk. */
export function changed(change: Change, of: StackSpec = spec): File {
  const file = written(of)
  const service = file.services['valkey'] ?? assert.fail()
  if (typeof change === 'function') change(file, service)
  else Object.assign(service, change)
  return JSON.parse(JSON.stringify(file)) as File
}
