/** `valkeep stack init`: the whole deployment, each part as its own command writes it. */
import { join, relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { defaultSpec } from '../domain/stack/default-spec.ts'
import { ignoredPaths } from '../domain/stack/places.ts'
import type { StackPreset } from '../domain/stack/presets.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import { ensureCertificates } from './certs.ts'
import { renderCompose, startLine } from './compose-file.ts'
import { ensureText, modes, readText, writeText } from './files.ts'
import { addFile, newReport, type Report, shownPath } from './report.ts'
import {
  checkedSpec,
  ioThreadsOf,
  mergeIntoFile,
  readTarget,
  renderStackConf,
  showReport,
  withCertificateFlags,
} from './run-parts.ts'
import { renderScripts } from './scripts.ts'
import { ensureSecrets } from './secrets.ts'
import { renderSpec, SPEC_FILE } from './spec-file.ts'
import { fileOwner, openStack, type Owner, ownUser, say, type StackPlace } from './stack-place.ts'

export type InitFlags = {
  preset?: StackPreset
  prefix?: string
  perUserFiles?: boolean
  user?: string
  days?: number
  san?: string[]
  caSubject?: string
  serverSubject?: string
  clientSubject?: string
  ioThreads?: string
  network?: string
  networkExternal?: boolean
  into?: string
  json?: boolean
}

/** Safe to repeat: what is there is kept, what is missing is made. */
export async function runInit(context: Context, flags: InitFlags, dir: string | undefined): Promise<void> {
  const found = openStack(dir ?? '.')
  const place: StackPlace = { ...found, spec: specFor(found, flags), declared: true }
  const { root, spec } = place
  // Before anything is written.
  if (flags.into !== undefined) readTarget(resolve(root, spec.files.compose))
  const report = newReport()
  const owner = fileOwner(place)
  const text = (path: string, content: string, mode: number, ofContainer = false) =>
    ensureText(report, path, content, { mode, force: false, ...(ofContainer && owner !== undefined ? { owner } : {}) })

  if (found.declared) addFile(report, join(root, SPEC_FILE), 'kept')
  else writeText(report, join(root, SPEC_FILE), renderSpec(spec), { mode: modes.plain })
  await makeCertificates(context, place, owner, report)
  const change = { force: false, rotate: undefined, keepOld: false, dropOld: undefined }
  ensureSecrets({ dir: resolve(root, spec.files.secrets), spec, change, owner }, report)
  text(resolve(root, spec.files.config), renderStackConf(spec), modes.plain, true)
  for (const [name, script] of Object.entries(renderScripts(spec)))
    text(resolve(root, spec.files.scripts, name), script, modes.program)
  const compose = resolve(root, spec.files.compose)
  if (flags.into === undefined) text(compose, renderCompose(spec, root, compose), modes.plain)
  else mergeIntoFile(place, compose, false, report)
  ensureIgnored(report, join(root, '.gitignore'), spec)
  const isMade = report.files.every(({ action }) => action !== 'differs')
  if (!isMade)
    report.notes.push(
      'What differs from stack.yaml was kept. To write it anew: valkeep stack conf --force, valkeep stack compose --force',
    )
  showReport(context, flags.json ?? false, report, { next: startLine(compose) })
}

/**
 * What the stack is to be: as declared, or new as the flags say.
 * @throws CliError where both are there and say different things
 */
function specFor({ root, declared, spec }: StackPlace, flags: InitFlags): StackSpec {
  const asked = Object.entries(flags).filter(
    ([name, value]) => name !== 'json' && name !== 'into' && value !== undefined,
  )
  const wanted = newSpec(flags, root)
  if (!declared) return wanted
  const compose = flags.into === undefined ? spec.files.compose : wanted.files.compose
  const same: StackSpec = {
    ...wanted,
    files: { ...wanted.files, compose: spec.files.compose },
    service: { ...wanted.service, user: flags.user ?? spec.service.user },
  }
  if (compose === spec.files.compose && (asked.length === 0 || isDeepStrictEqual(same, spec))) return spec
  throw new CliError(exitCodes.conflict, `${shownPath(join(root, SPEC_FILE))} is there already and says otherwise`, {
    next: `Change it there, then run valkeep stack init ${shownPath(root)} without those flags.`,
  })
}

function newSpec(flags: InitFlags, root: string): StackSpec {
  const { preset, prefix, perUserFiles, user = ownUser(), network, networkExternal = false } = flags
  const base = defaultSpec({
    user,
    ...(preset === undefined ? {} : { preset }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(perUserFiles === undefined ? {} : { perUserFiles }),
  })
  const compose = flags.into === undefined ? base.files.compose : relative(root, resolve(flags.into))
  return withCertificateFlags(
    checkedSpec({
      ...base,
      server: { ...base.server, io_threads: ioThreadsOf(flags.ioThreads) ?? base.server.io_threads },
      service: { ...base.service, network: network ?? base.service.network, network_external: networkExternal },
      files: { ...base.files, compose },
    }),
    flags,
  )
}

function makeCertificates(context: Context, { root, spec }: StackPlace, owner: Owner | undefined, report: Report) {
  const making = () => say(context, 'Making keys and certificates (a few seconds)')
  const options = { dir: resolve(root, spec.files.certs), spec, renew: false, renewCa: false, force: false }
  return ensureCertificates({ ...options, now: new Date(), owner, making }, report)
}

/** The lines that are there stay as they are. */
function ensureIgnored(report: Report, path: string, spec: StackSpec): void {
  const present = readText(path)
  const lines = (present ?? '').split('\n').map((line) => line.trim())
  const missing = ignoredPaths(spec).filter((line) => !lines.includes(line))
  if (missing.length === 0) return addFile(report, path, 'kept')
  const before = present === undefined || present === '' || present.endsWith('\n') ? (present ?? '') : `${present}\n`
  writeText(report, path, `${before}${missing.map((line) => `${line}\n`).join('')}`, { mode: modes.plain })
}
