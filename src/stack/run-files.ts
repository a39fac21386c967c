/** The commands that write what follows from stack.yaml alone: conf, compose, scripts. */
import { resolve } from 'node:path'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes, usageError } from '../cli/exit-code.ts'
import { applyChange } from './apply.ts'
import { ownComposeFile, renderCompose, startLine } from './compose-file.ts'
import { mergeIntoFile } from './compose-merge.ts'
import { renderStackConf } from './conf-file.ts'
import { ensureText, modes, placed, readText } from './files.ts'
import { checkedSpec, forThisRun, ioThreadsOf } from './flags.ts'
import { newReport, showReport, shownPath, stackCommand } from './report.ts'
import { renderScripts } from './scripts.ts'
import { fileOwner, openStack, partPath, type StackPlace } from './stack-place.ts'

type FileFlags = { stack: string; force?: boolean; json?: boolean }
export type ConfFlags = FileFlags & { ioThreads?: string; apply?: boolean }
export type ComposeFlags = FileFlags & { into?: string; networkExternal?: boolean }
export type ScriptsFlags = FileFlags

export async function runConf(context: Context, flags: ConfFlags, file: string | undefined, signal: AbortSignal) {
  const place = openStack(flags.stack)
  const threads = ioThreadsOf(flags.ioThreads) ?? place.spec.server.io_threads
  const spec = checkedSpec({ ...place.spec, server: { ...place.spec.server, io_threads: threads } })
  const text = renderStackConf(spec)
  if (file === '-') return void context.stdout.write(text)
  const path = partPath(place, file, spec.files.config, 'config/valkey.conf')
  const report = newReport()
  const { apply = false, force = false } = flags
  const before = readText(path)
  const done = ensureText(report, path, text, { ...placed(modes.plain, fileOwner(place)), force })
  if (place.declared && flags.ioThreads !== undefined) report.notes.push(forThisRun('server.io_threads'))
  const restarts = done && (apply || (before !== undefined && before !== text))
  const outage_ms = restarts ? await applyChange(context, place, report, { apply, signal }) : null
  showReport(context, flags.json ?? false, report, { outage_ms })
  if (!done) throw differs(place, path, 'conf')
}

const differs = (place: StackPlace, path: string, part: string) =>
  new CliError(exitCodes.conflict, `${shownPath(path)} is not what stack.yaml says, and was kept`, {
    next: `Put what is yours in it into stack.yaml, then write it anew: ${stackCommand(place.root, `${part} --force`)}`,
  })

export function runCompose(context: Context, flags: ComposeFlags, file: string | undefined): void {
  if (file !== undefined && flags.into !== undefined) throw usageError('Give a file to write or --into FILE, not both')
  const declared = openStack(flags.stack)
  const external = flags.networkExternal ?? declared.spec.service.network_external
  const place = {
    ...declared,
    spec: { ...declared.spec, service: { ...declared.spec.service, network_external: external } },
  }
  const { files } = place.spec
  const report = newReport()
  const force = flags.force ?? false
  const into =
    flags.into ?? (files.compose_shared && file === undefined ? resolve(place.root, files.compose) : undefined)
  if (into !== undefined) {
    mergeIntoFile(place, resolve(into), force, report)
    return showReport(context, flags.json ?? false, report, { next: startLine(resolve(into)) })
  }
  const path =
    file === '-'
      ? resolve(place.root, files.compose)
      : partPath(place, file, files.compose, 'deploy/docker-compose.yml')
  const text = renderCompose(place.spec, place.root, path)
  if (file === '-') return void context.stdout.write(text)
  ownComposeFile(place, path)
  const done = ensureText(report, path, text, { mode: modes.plain, force })
  showReport(context, flags.json ?? false, report, { next: done ? startLine(path) : null })
  if (!done) throw differs(place, path, 'compose')
}

export function runScripts(context: Context, flags: ScriptsFlags, given: string | undefined): void {
  const place = openStack(flags.stack)
  const dir = partPath(place, given, place.spec.files.scripts, 'scripts')
  const report = newReport()
  const done = Object.entries(renderScripts(place.spec)).map(([name, text]) =>
    ensureText(report, resolve(dir, name), text, { mode: modes.program, force: flags.force ?? false }),
  )
  showReport(context, flags.json ?? false, report)
  if (done.includes(false)) throw differs(place, dir, 'scripts')
}
