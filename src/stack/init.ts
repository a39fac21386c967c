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
import { ownComposeFile, renderCompose, startLine } from './compose-file.ts'
import { mergedText, mergeIntoFile } from './compose-merge.ts'
import { renderStackConf } from './conf-file.ts'
import { ensureText, modes, placed, readText, writeText } from './files.ts'
import { type CertificateFlags, checkedSpec, ioThreadsOf, withCertificateFlags } from './flags.ts'
import { addFile, newReport, type Report, showReport, shownPath, stackCommand } from './report.ts'
import { renderScripts } from './scripts.ts'
import { ensureSecrets } from './secrets.ts'
import { renderSpec, SPEC_FILE } from './spec-file.ts'
import { fileOwner, openStack, type Owner, ownUser, say, type StackPlace } from './stack-place.ts'

export type InitFlags = CertificateFlags & {
  preset?: StackPreset
  prefix?: string
  perUserFiles?: boolean
  user?: string
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
  const compose = resolve(root, spec.files.compose)
  // Before anything is written: a compose file that the stack cannot go into.
  if (spec.files.compose_shared) mergedText(place, compose, false)
  else ownComposeFile(place, compose)
  const report = newReport()
  const owner = fileOwner(place)
  const text = (path: string, content: string, mode: number, reader?: Owner) =>
    ensureText(report, path, content, { ...placed(mode, reader), force: false })

  if (found.declared) addFile(report, join(root, SPEC_FILE), 'kept')
  else writeText(report, join(root, SPEC_FILE), renderSpec(spec), { mode: modes.plain })
  // Before there is a secret for git to see.
  ensureIgnored(report, join(root, '.gitignore'), spec)
  await makeCertificates(context, place, owner, report)
  makeSecrets(place, owner, report)
  text(resolve(root, spec.files.config), renderStackConf(spec), modes.plain, owner)
  for (const [name, script] of Object.entries(renderScripts(spec)))
    text(resolve(root, spec.files.scripts, name), script, modes.program)
  if (spec.files.compose_shared) mergeIntoFile(place, compose, false, report)
  else text(compose, renderCompose(spec, root, compose), modes.plain)
  if (report.files.some(({ action }) => action === 'differs')) {
    const lines = ['conf', 'scripts', 'compose'].map((part) => stackCommand(root, `${part} --force`))
    report.notes.push(`What differs from stack.yaml was kept. To write it anew: ${lines.join(', ')}`)
  }
  showReport(context, flags.json ?? false, report, { next: startLine(compose) })
}

/**
 * What the stack is to be: as declared, or new as the flags say.
 * @throws CliError where both are there and say different things
 */
function specFor({ root, declared, spec }: StackPlace, flags: InitFlags): StackSpec {
  const asked = Object.entries(flags).filter(([name, value]) => name !== 'json' && value !== undefined)
  if (declared && asked.length === 0) return spec
  const wanted = newSpec(flags, root)
  if (!declared) return wanted
  // What nobody asked for may have been changed since.
  const same: StackSpec = {
    ...wanted,
    files: flags.into === undefined ? spec.files : wanted.files,
    service: { ...wanted.service, user: flags.user ?? spec.service.user },
  }
  if (isDeepStrictEqual(same, spec) || isWithin(flags, wanted, spec)) return spec
  throw new CliError(exitCodes.conflict, `${shownPath(join(root, SPEC_FILE))} is there already and says otherwise`, {
    next: `Change it there, then run ${stackCommand(root, 'init')} without those flags.`,
  })
}

/** Whether what was asked for is what the spec says, in the fields that flags name. */
function isWithin(flags: InitFlags, wanted: StackSpec, spec: StackSpec): boolean {
  const pairs: [unknown, unknown, unknown][] = [
    [flags.preset ?? flags.perUserFiles, wanted.users, spec.users],
    [flags.prefix, wanted.prefix, spec.prefix],
    [flags.user, wanted.service.user, spec.service.user],
    [flags.network, wanted.service.network, spec.service.network],
    [flags.networkExternal, wanted.service.network_external, spec.service.network_external],
    [flags.ioThreads, wanted.server.io_threads, spec.server.io_threads],
    [flags.days, wanted.certificates.days, spec.certificates.days],
    [
      flags.san,
      wanted.certificates.names.concat(wanted.certificates.addresses),
      spec.certificates.names.concat(spec.certificates.addresses),
    ],
    [flags.caSubject, wanted.certificates.ca, spec.certificates.ca],
    [flags.serverSubject, wanted.certificates.server, spec.certificates.server],
    [flags.clientSubject, wanted.certificates.client, spec.certificates.client],
    [flags.into, wanted.files.compose, spec.files.compose],
  ]
  return pairs.every(([flag, a, b]) => flag === undefined || isDeepStrictEqual(a, b))
}

function newSpec(flags: InitFlags, root: string): StackSpec {
  const { preset, prefix, perUserFiles, user = ownUser(), network, networkExternal = false } = flags
  const base = defaultSpec({
    user,
    ...(preset === undefined ? {} : { preset }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(perUserFiles === undefined ? {} : { perUserFiles }),
  })
  const into = flags.into === undefined ? {} : { compose: relative(root, resolve(flags.into)), compose_shared: true }
  return withCertificateFlags(
    checkedSpec({
      ...base,
      server: { ...base.server, io_threads: ioThreadsOf(flags.ioThreads) ?? base.server.io_threads },
      service: { ...base.service, network: network ?? base.service.network, network_external: networkExternal },
      files: { ...base.files, ...into },
    }),
    flags,
  )
}

function makeCertificates(context: Context, { root, spec }: StackPlace, owner: Owner | undefined, report: Report) {
  const making = () => say(context, 'Making keys and certificates (a few seconds)')
  const command = (line: string) => stackCommand(root, `certs ${line}`)
  const options = { dir: resolve(root, spec.files.certs), spec, renew: false, renewCa: false, force: false }
  return ensureCertificates({ ...options, now: new Date(), owner, making, command }, report)
}

function makeSecrets({ root, spec }: StackPlace, owner: Owner | undefined, report: Report): void {
  const change = { force: false, rotate: undefined, keepOld: false, dropOld: undefined }
  const command = (line: string) => stackCommand(root, `secrets ${line}`)
  ensureSecrets({ dir: resolve(root, spec.files.secrets), spec, change, owner, command }, report)
}

function ensureIgnored(report: Report, path: string, spec: StackSpec): void {
  const present = readText(path)
  const lines = (present ?? '').split('\n').map((line) => line.trim())
  const missing = ignoredPaths(spec).filter((line) => !lines.includes(line))
  if (missing.length === 0) return addFile(report, path, 'kept')
  const before = present === undefined || present === '' || present.endsWith('\n') ? (present ?? '') : `${present}\n`
  writeText(report, path, `${before}${missing.map((line) => `${line}\n`).join('')}`, { mode: modes.plain })
}
