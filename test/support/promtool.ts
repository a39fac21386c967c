/** What an alerting rule makes of figures, by promtool. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The `spec` of a PrometheusRule, which is what a file of rules holds. */
export type Rules = { groups: { rules: { alert: string; expr: string }[] }[] }
/** Values over time, one each 30 s, as promtool writes them (`1x40`), by name and labels. */
export type Series = Readonly<Record<string, string>>
/** Labels without the alert's name, and its summary. */
export type Alert = { labels: Record<string, string>; summary: string }

export const alertsOf = (rules: Rules): string[] =>
  rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert))

/** The figures that its rules ask for. */
export const figuresOf = (rules: Rules): Set<string> =>
  new Set(rules.groups.flatMap((group) => group.rules.flatMap(({ expr }) => expr.match(/\bredis_\w+/g) ?? [])))

const run = promisify(execFile)

async function withFiles<T>(files: Record<string, unknown>, work: (dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'vk-rules-'))
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), JSON.stringify(content))
    return await work(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** @throws Error with what promtool has against them */
export async function checkRules(promtool: string, rules: Rules): Promise<void> {
  await withFiles({ 'rules.json': rules }, (dir) =>
    run(promtool, ['check', 'rules', '--lint=all', '--lint-fatal', join(dir, 'rules.json')]),
  )
}

/**
 * Asserts that after `minutes` of these figures exactly these alerts fire, and no other one of the rules.
 * @throws Error with what fires instead
 */
export async function assertFiring(
  promtool: string,
  rules: Rules,
  series: Series,
  minutes: number,
  expected: Readonly<Record<string, Alert[]>>,
): Promise<void> {
  const tests = {
    rule_files: ['rules.json'],
    evaluation_interval: '30s',
    tests: [
      {
        interval: '30s',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: alertsOf(rules).map((alertname) => ({
          eval_time: `${minutes}m`,
          alertname,
          exp_alerts: (expected[alertname] ?? []).map(({ labels, summary }) => ({
            exp_labels: labels,
            exp_annotations: { summary },
          })),
        })),
      },
    ],
  }
  await withFiles({ 'rules.json': rules, 'tests.json': tests }, (dir) =>
    run(promtool, ['test', 'rules', join(dir, 'tests.json')]),
  )
}
