/** `valkeep stack secrets` */
import { join } from 'node:path'
import type { Context } from '../cli/context.ts'
import { usageError } from '../cli/exit-code.ts'
import { shellWord } from '../domain/shell-quote.ts'
import { secretFiles } from '../domain/stack/places.ts'
import { applyChange } from './apply.ts'
import { readText } from './files.ts'
import { newReport, showReport, stackCommand } from './report.ts'
import { ensureSecrets } from './secrets.ts'
import { fileOwner, openStack, partPath } from './stack-place.ts'

export type SecretsFlags = {
  stack: string
  rotate?: string
  keepOld?: boolean
  dropOld?: string
  force?: boolean
  apply?: boolean
  json?: boolean
}

export async function runSecrets(
  context: Context,
  flags: SecretsFlags,
  given: string | undefined,
  signal: AbortSignal,
) {
  const { rotate, dropOld, keepOld = false, force = false, apply = false } = flags
  if (keepOld && rotate === undefined) throw usageError('--keep-old goes with --rotate USER')
  if (rotate !== undefined && dropOld !== undefined) throw usageError('Give --rotate or --drop-old, not both')
  const place = openStack(flags.stack)
  const report = newReport()
  const dir = partPath(place, given, place.spec.files.secrets, 'secrets')
  const wasThere = readText(join(dir, secretFiles.acl)) !== undefined
  const command = (line: string) =>
    stackCommand(
      place.root,
      given === undefined ? `secrets ${line}`.trim() : `secrets ${shellWord(given)} ${line}`.trim(),
    )
  const change = { force, rotate, keepOld, dropOld }
  const changed = ensureSecrets({ dir, spec: place.spec, change, owner: fileOwner(place), command }, report)
  const restarts = (changed && wasThere) || apply
  const outage_ms = restarts ? await applyChange(context, place, report, { apply, signal }) : null
  const next = keepOld
    ? `Hand out the new password; once nobody uses the old one: ${command(`--drop-old ${rotate} --apply`)}`
    : null
  showReport(context, flags.json ?? false, report, { outage_ms, next })
}
