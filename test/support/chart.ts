/** The chart charts/valkey-cluster as Helm renders it here, without a cluster. */
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import { parse, parseAllDocuments } from 'yaml'
import { partsDir } from './parts.ts'

export const chartDir = resolve(import.meta.dirname, '../../charts/valkey-cluster')
export const chartFile = (name: string): string => readFileSync(join(chartDir, name), 'utf8')

/** values.yaml and what lies over it. */
export const overrideFiles: readonly string[] = readdirSync(chartDir).filter((name) =>
  /^values-overrides-.*\.yaml$/.test(name),
)

export type Values = { [key: string]: unknown }
export const defaultValues = (): Values => parse(chartFile('values.yaml')) as Values

/** A Kubernetes object, as far as the tests look. */
export type Manifest = {
  apiVersion: string
  kind: string
  metadata: { name: string; annotations?: Record<string, string> }
  data?: Record<string, string>
  spec?: Values
}

const run = promisify(execFile)
const helmPath = join(partsDir(), 'helm', 'bin', 'helm')

/** Whether Helm is here; where not, the test is skipped, loudly, and under `CI=true` fails. */
export function requireHelm(t: TestContext): boolean {
  if (existsSync(helmPath)) return true
  const missing = 'the part helm is missing; sh scripts/setup.sh kube brings it'
  if (process.env['CI'] === 'true') throw new Error(missing)
  t.skip(missing)
  return false
}

/**
 * `helm ARGS…` with values on its standard input, which `--values -` names.
 * @returns both of its outputs
 * @throws Error whose message has them
 */
export async function helm(args: readonly string[], values: Values = {}): Promise<string> {
  const answer = run(helmPath, args, { maxBuffer: 64 << 20 })
  answer.child.stdin?.on('error', () => {})
  answer.child.stdin?.end(JSON.stringify(values))
  const { stdout, stderr } = await answer
  return stdout + stderr
}

/** What `helm template` makes of these values over the chart's own. */
export async function render(values: Values, ...args: string[]): Promise<Manifest[]> {
  const text = await helm(['template', 'x', chartDir, '--namespace', 'strict', '--values', '-', ...args], values)
  // Kubernetes reads YAML 1.1: 0440 is octal.
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    if (document.errors.length > 0) throw new Error(`not YAML: ${document.errors[0]?.message}`)
    const object = document.toJS() as Manifest | null
    return object === null ? [] : [object]
  })
}

/** Values over values as Helm lays them: maps are merged, everything else is replaced. */
export function overlayValues(under: Values, over: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const merged = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isMap(value) && isMap(below) ? overlayValues(below, value) : value
  }
  return merged
}

/** Runs `work` on every item, two at a time. */
export async function inPairs<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await work(item)
  }
  await Promise.all([worker(), worker()])
  return results
}
