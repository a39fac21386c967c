/** `valkeep stack certs` */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../cli/context.ts'
import { usageError } from '../cli/exit-code.ts'
import { shellWord } from '../domain/shell-quote.ts'
import { certificateFiles, mountedCertificates } from '../domain/stack/places.ts'
import { applyChange } from './apply.ts'
import { ensureCertificates } from './certs.ts'
import { type CertificateFlags, forThisRun, withCertificateFlags } from './flags.ts'
import { newReport, showReport, shownPath, stackCommand } from './report.ts'
import { fileOwner, openStack, partPath, say } from './stack-place.ts'

export type CertsFlags = CertificateFlags & {
  stack: string
  renew?: boolean
  renewCa?: boolean
  force?: boolean
  apply?: boolean
  json?: boolean
}

export async function runCerts(context: Context, flags: CertsFlags, given: string | undefined, signal: AbortSignal) {
  const place = openStack(flags.stack)
  const dir = partPath(place, given, place.spec.files.certs, 'certs/valkey')
  const { renew = false, renewCa = false, force = false, apply = false } = flags
  const before = new Set(mountedCertificates.filter((file) => existsSync(join(dir, file))))
  if ((renew || renewCa || apply) && !existsSync(join(dir, certificateFiles.caCert)))
    throw usageError(
      `There are no certificates in ${shownPath(dir)} to renew`,
      `Name their directory, or make them: ${stackCommand(place.root, 'certs')}`,
    )
  const report = newReport()
  const options = { dir, spec: withCertificateFlags(place.spec, flags), renew, renewCa, force }
  const making = () => say(context, 'Making keys and certificates (a few seconds)')
  const command = (line: string) =>
    stackCommand(place.root, given === undefined ? `certs ${line}` : `certs ${shellWord(given)} ${line}`)
  await ensureCertificates({ ...options, now: new Date(), owner: fileOwner(place), making, command }, report)
  if (
    place.declared &&
    [flags.days, flags.san, flags.caSubject, flags.serverSubject, flags.clientSubject].some(Boolean)
  )
    report.notes.push(forThisRun('certificates'))
  // The stack's own files, of which the container has some open.
  const isTheirs = dir === partPath(place, undefined, place.spec.files.certs, 'certs/valkey')
  const changed = report.files.some(
    ({ path, action }) => action === 'wrote' && [...before].some((file) => path.endsWith(file)),
  )
  const restarts = apply || (changed && isTheirs)
  const outage_ms = restarts ? await applyChange(context, place, report, { apply, signal }) : null
  showReport(context, flags.json ?? false, report, { outage_ms })
}
