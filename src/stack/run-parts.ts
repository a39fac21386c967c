/** The commands that write one part of a stack each: certs, secrets, conf, compose. */
import { join, resolve } from 'node:path'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes, usageError } from '../cli/exit-code.ts'
import { makeOutput } from '../cli/session.ts'
import { renderConfSections } from '../domain/conf/render.ts'
import { stackConfSections } from '../domain/stack/conf.ts'
import { secretFiles } from '../domain/stack/places.ts'
import { stackSpecSchema, type StackSpec } from '../domain/stack/spec.ts'
import { applyChange } from './apply.ts'
import { ensureCertificates, withSans } from './certs.ts'
import { partsFor, renderCompose, startLine } from './compose-file.ts'
import { mergeCompose } from './compose-merge.ts'
import { ensureText, modes, placementOf, readText, writeText } from './files.ts'
import { addFile, newReport, type Report, reportText, shownPath } from './report.ts'
import { ensureSecrets } from './secrets.ts'
import { fileOwner, openStack, partPath, say, type StackPlace } from './stack-place.ts'

type PartFlags = { stack: string; json?: boolean }
export type CertsFlags = PartFlags & {
  days?: number
  san?: string[]
  caSubject?: string
  serverSubject?: string
  clientSubject?: string
  renew?: boolean
  renewCa?: boolean
  force?: boolean
  apply?: boolean
}
export type SecretsFlags = PartFlags & {
  rotate?: string
  keepOld?: boolean
  dropOld?: string
  force?: boolean
  apply?: boolean
}
export type ConfFlags = PartFlags & { ioThreads?: string; force?: boolean }
export type ComposeFlags = PartFlags & { into?: string; networkExternal?: boolean; force?: boolean }

/** Shows what was done and what to know. @param extra further facts of the JSON answer */
export function showReport(
  context: Context,
  json: boolean,
  report: Report,
  extra: { next?: string | null } & Record<string, unknown> = {},
): void {
  const output = makeOutput(context, json)
  const { next = null, ...facts } = extra
  output.show({ ...report, ...facts, next }, () => reportText(report))
  for (const note of report.notes) output.note(note)
  if (next !== null) output.note(`Next: ${next}`)
}

/** A spec with what a command line says for this run. @throws CliError where that does not fit the schema */
export function checkedSpec(spec: StackSpec): StackSpec {
  const result = stackSpecSchema.safeParse(spec)
  if (result.success) return result.data
  throw new CliError(exitCodes.usage, 'What is asked for is not possible', {
    reasons: result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`),
    next: 'valkeep stack --help',
  })
}

/** The certificates' spec with the flags of a command line over it. */
export function withCertificateFlags(spec: StackSpec, flags: Omit<CertsFlags, 'stack'>): StackSpec {
  const { certificates } = spec
  const certificatesOf = {
    ...certificates,
    days: flags.days ?? certificates.days,
    ca: flags.caSubject ?? certificates.ca,
    server: flags.serverSubject ?? certificates.server,
    client: flags.clientSubject ?? certificates.client,
  }
  return checkedSpec(withSans({ ...spec, certificates: certificatesOf }, flags.san ?? []))
}

export async function runCerts(context: Context, flags: CertsFlags, dir: string | undefined, signal: AbortSignal) {
  const place = openStack(flags.stack)
  const report = newReport()
  const { renew = false, renewCa = false, force = false, apply = false } = flags
  await ensureCertificates(
    {
      dir: partPath(place, dir, place.spec.files.certs, 'certs/valkey'),
      spec: withCertificateFlags(place.spec, flags),
      renew,
      renewCa,
      force,
      now: new Date(),
      owner: fileOwner(place),
      making: () => say(context, 'Making keys and certificates (a few seconds)'),
    },
    report,
  )
  const changed = renew || renewCa || force
  const outage_ms = changed || apply ? await applyChange(context, place, report, { apply, signal }) : null
  showReport(context, flags.json ?? false, report, { outage_ms })
}

export async function runSecrets(context: Context, flags: SecretsFlags, dir: string | undefined, signal: AbortSignal) {
  const { rotate, dropOld, keepOld = false, force = false, apply = false } = flags
  if (keepOld && rotate === undefined) throw usageError('--keep-old goes with --rotate USER')
  if (rotate !== undefined && dropOld !== undefined) throw usageError('Give --rotate or --drop-old, not both')
  const place = openStack(flags.stack)
  const report = newReport()
  const target = partPath(place, dir, place.spec.files.secrets, 'secrets')
  const wasThere = readText(join(target, secretFiles.acl)) !== undefined
  const change = { force, rotate, keepOld, dropOld }
  const changed = ensureSecrets({ dir: target, spec: place.spec, change, owner: fileOwner(place) }, report)
  const restarts = (changed && wasThere) || apply
  const outage_ms = restarts ? await applyChange(context, place, report, { apply, signal }) : null
  showReport(context, flags.json ?? false, report, { outage_ms, next: nextAfterRotation(flags) })
}

function nextAfterRotation({ rotate, keepOld }: SecretsFlags): string | null {
  if (rotate === undefined || keepOld !== true) return null
  return `Hand out the new password; once nobody uses the old one: valkeep stack secrets --drop-old ${rotate} --apply`
}

/** `auto`, or a whole number. */
export function ioThreadsOf(text: string | undefined): StackSpec['server']['io_threads'] | undefined {
  if (text === undefined || text === 'auto') return text
  if (!/^[1-9][0-9]?$/.test(text))
    throw usageError(`--io-threads ${JSON.stringify(text)}: auto, or a number from 1 to 16`)
  return Number(text)
}

/** The text of a stack's valkey.conf. */
export const renderStackConf = (spec: StackSpec): string =>
  renderConfSections(
    ['Written by `valkeep stack conf` from stack.yaml: change that, and write this anew.'],
    stackConfSections(spec),
  )

export function runConf(context: Context, flags: ConfFlags, file: string | undefined): void {
  const place = openStack(flags.stack)
  const threads = ioThreadsOf(flags.ioThreads) ?? place.spec.server.io_threads
  const spec = checkedSpec({ ...place.spec, server: { ...place.spec.server, io_threads: threads } })
  const text = renderStackConf(spec)
  if (file === '-') return void context.stdout.write(text)
  const path = partPath(place, file, spec.files.config, 'config/valkey.conf')
  const report = newReport()
  const done = ensureText(report, path, text, { ...placement(place, modes.plain), force: flags.force ?? false })
  showReport(context, flags.json ?? false, report)
  if (!done) throw differs(path)
}

const placement = (place: StackPlace, mode: number) => {
  const owner = fileOwner(place)
  return owner === undefined ? { mode } : { mode, owner }
}

const differs = (path: string) =>
  new CliError(exitCodes.conflict, `${shownPath(path)} is not what stack.yaml says, and was kept`, {
    next: 'Put what is yours in it into stack.yaml, then write it anew: --force',
  })

export function runCompose(context: Context, flags: ComposeFlags, file: string | undefined): void {
  if (file !== undefined && flags.into !== undefined) throw usageError('Give a file to write or --into FILE, not both')
  const place = openStack(flags.stack)
  const external = flags.networkExternal ?? place.spec.service.network_external
  const spec = { ...place.spec, service: { ...place.spec.service, network_external: external } }
  const report = newReport()
  const force = flags.force ?? false
  if (flags.into !== undefined) {
    const path = resolve(flags.into)
    mergeIntoFile({ ...place, spec }, path, force, report)
    return showReport(context, flags.json ?? false, report, { next: startLine(path) })
  }
  const path =
    file === '-'
      ? resolve(place.root, spec.files.compose)
      : partPath(place, file, spec.files.compose, 'deploy/docker-compose.yml')
  const text = renderCompose(spec, place.root, path)
  if (file === '-') return void context.stdout.write(text)
  const done = ensureText(report, path, text, { mode: modes.plain, force })
  showReport(context, flags.json ?? false, report, { next: done ? startLine(path) : null })
  if (!done) throw differs(path)
}

/** The compose file that the stack is added to. @throws CliError where there is none */
export function readTarget(path: string): string {
  const present = readText(path)
  if (present !== undefined) return present
  throw new CliError(exitCodes.notFound, `There is no ${shownPath(path)} to add to`, {
    next: 'Leave --into out: a compose file of its own is then written.',
  })
}

/** Puts the stack into a compose file that is there; its mode and owner stay. */
export function mergeIntoFile({ root, spec }: StackPlace, path: string, force: boolean, report: Report): void {
  const present = readTarget(path)
  const merged = mergeCompose(present, partsFor(spec, root, path), shownPath(path), force)
  for (const network of merged.keptNetworks)
    report.notes.push(
      `${shownPath(path)} has the network ${network} already, and keeps it as it is: only internal: true keeps the server off other networks`,
    )
  if (merged.text === present) return addFile(report, path, 'kept')
  writeText(report, path, merged.text, placementOf(path))
}
