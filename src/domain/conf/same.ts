import { liveOrRestart } from './change.ts'
import type { Directive } from './directive.ts'
import { meaningOf, reportedMeaningOf } from './meaning.ts'

/** Directives whose lines add up instead of replacing each other. */
const repeatable = new Set(['client-output-buffer-limit', 'include', 'loadmodule', 'rename-command', 'save', 'user'])

/** One CONFIG SET must carry certificate and key together: with one alone valkey sees a pair that does not fit. */
const tlsFiles = ['tls-cert-file', 'tls-key-file', 'tls-ca-cert-file']

export type ConfDiff = {
  /** The file is missing, unreadable, or means something else. */
  file: boolean
  /** What CONFIG SET has to change on the running server, in one call. */
  live: Directive[]
  /** Directives that run with another value and change only by a restart. */
  restart: string[]
}

/**
 * What separates a server's configuration from the one wanted, by meaning: sizes as bytes, schedules as pairs, never
 * quoting, order or comments. A file that a newer renderer would write otherwise but that means the same is no drift.
 * @param observedFile the parsed file, null where it is missing or cannot be parsed
 * @param running the answer to `CONFIG GET *`, null where no server answers. A directive that the server does not
 *   report is not judged.
 */
export function diffConf(
  desired: readonly Directive[],
  observedFile: readonly Directive[] | null,
  running: Readonly<Record<string, string>> | null,
): ConfDiff {
  const file = observedFile === null || !sameMeanings(fileMeanings(desired), fileMeanings(observedFile))
  if (running === null) return { file, live: [], restart: [] }
  const reported = new Map(Object.entries(running))
  const different = desired.filter(({ name, args }) => {
    const value = reported.get(name)
    return value !== undefined && reportedMeaningOf(name, [value]) !== reportedMeaningOf(name, args)
  })
  const live = new Set(different.filter(({ name }) => liveOrRestart.get(name) === 'live').map(({ name }) => name))
  if (tlsFiles.some((name) => live.has(name))) for (const name of tlsFiles) live.add(name)
  return {
    file,
    live: desired.filter(({ name }) => live.has(name)),
    restart: different.filter(({ name }) => liveOrRestart.get(name) !== 'live').map(({ name }) => name),
  }
}

/** Meanings by name; of a directive that may not repeat the last line counts, as in valkey. */
function fileMeanings(directives: readonly Directive[]): Map<string, string> {
  const meanings = new Map<string, string>()
  for (const [name, lines] of Map.groupBy(directives, (directive) => directive.name)) {
    if (name === 'save') meanings.set(name, meaningOf(name, savedArgs(lines)))
    else if (repeatable.has(name)) meanings.set(name, JSON.stringify(lines.map((line) => line.args)))
    else meanings.set(name, meaningOf(name, lines.at(-1)?.args ?? []))
  }
  return meanings
}

/** `save ""` forgets the rules before it. */
export function savedArgs(lines: readonly Directive[]): string[] {
  const lastReset = lines.findLastIndex(({ args }) => args.length === 1 && args[0] === '')
  return lines.slice(lastReset + 1).flatMap(({ args }) => args)
}

function sameMeanings(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, meaning]) => b.get(name) === meaning)
}
