/** What a bench says: figures beside what the machine can do at best, and whether the goal is met. */

/** Measured values of one thing, in one unit. */
export type Figure = { p50: number; p99: number; count: number }

export type Line = {
  what: string
  goal: string
  unit: string
  ours: Figure
  /** The physical limit or the yardstick, measured in the same run, turn by turn. */
  raw: Figure
  /** Of what the goal speaks about. */
  ratio: number
  met: boolean
  /** Where the time (or memory) goes; for a goal that is missed, why. */
  cause: string
}

export type Bench = {
  name: string
  about: string
  /** @param progress for a person who waits */
  run(progress: (text: string) => void): Promise<Line[]>
}

/** Nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
  if (value === undefined) throw new Error('nothing was measured')
  return value
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

export const figure = (values: readonly number[]): Figure => ({
  p50: median(values),
  p99: percentile(values, 0.99),
  count: values.length,
})

const number = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1))
const shown = ({ p50, p99 }: Figure): string => `${number(p50)} / ${number(p99)}`

/** The lines as a table, each followed by its cause. */
export function table(lines: readonly Line[]): string {
  const head = ['what', 'goal', 'ours p50 / p99', 'raw p50 / p99', 'unit', 'n', 'ratio', 'verdict']
  const rows = lines.map((line) => [
    line.what,
    line.goal,
    shown(line.ours),
    shown(line.raw),
    line.unit,
    String(line.ours.count),
    number(line.ratio),
    line.met ? 'PASS' : 'MISSED',
  ])
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => row[at]?.length ?? 0)))
  const text = (row: string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd()
  return [text(head), ...rows.flatMap((row, at) => [text(row), `  ${lines[at]?.cause ?? ''}`])].join('\n')
}
