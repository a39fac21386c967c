import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { code, made, tableOf } from './markdown.ts'

const inChart = (name: string) => readFileSync(new URL(`../../charts/valkey-cluster/${name}`, import.meta.url), 'utf8')

/** A value of a chart as its values.yaml says it. */
export type ChartValue = { path: string; about: string; default: unknown }

/** A comment that begins with `# -- ` describes the value below it, and everything in that value which has no line of its own. */
export function describedValues(text: string): ChartValue[] {
  const all: unknown = parse(text)
  const values: ChartValue[] = []
  let keys: string[] = []
  let about: string | undefined
  for (const line of text.split('\n')) {
    const comment = /^ *# (-- )?(.*)$/.exec(line)
    const [, indent, key] = /^( *)([A-Za-z0-9]+):/.exec(line) ?? []
    if (indent !== undefined && key !== undefined) {
      keys = [...keys.slice(0, indent.length / 2), key]
      if (about !== undefined) values.push({ path: keys.join('.'), about, default: valueAt(all, keys) })
    }
    if (comment === null) about = undefined
    else if (comment[1] !== undefined) about = comment[2]
    else if (about !== undefined) about = `${about} ${comment[2]}`
  }
  return values
}

const valueAt = (value: unknown, keys: readonly string[]): unknown =>
  keys.reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null)?.[key], value)

/** charts/valkey-cluster/README.md */
export function chartReadme(): string {
  const { version, appVersion, description } = parse(inChart('Chart.yaml')) as Record<string, string>
  const rows = describedValues(inChart('values.yaml')).map((value) => [
    code(value.path),
    code(JSON.stringify(value.default)),
    value.about,
  ])
  return `# valkey-cluster

${made}
${description} Version ${version}, for Valkey ${appVersion} and newer.

\`\`\`sh
helm install my-valkey charts/valkey-cluster --set auth.autoGenerate=true
helm test my-valkey
\`\`\`

A password is needed; the other ways to give one are \`auth.existingSecret\` and \`auth.password\`. For production begin with one of
[values-overrides-cluster.yaml](values-overrides-cluster.yaml) (a cluster of 6) and
[values-overrides-standalone.yaml](values-overrides-standalone.yaml) (one primary, two replicas, automatic fail-over), and read
[PRODUCTION.md](PRODUCTION.md). [docs/chart.md](../../docs/chart.md) goes by task. What changed is in [CHANGELOG.md](CHANGELOG.md).

## Values

[values.schema.json](values.schema.json) checks them: an unknown key or a wrong type is an error.

${tableOf(['value', 'default', 'meaning'], rows)}`
}
