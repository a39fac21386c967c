/**
 * `npm run bench [NAME …] [-- --json]`: measures the platform against what this machine can do at best. Asserts nothing:
 * what the figures mean depends on the machine and on what else it does.
 */
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { acl } from './acl.ts'
import { chart } from './chart.ts'
import { cli } from './cli.ts'
import { create } from './create.ts'
import { createParallel } from './create-parallel.ts'
import { list } from './list.ts'
import { live } from './live.ts'
import { restart } from './restart.ts'
import { stackInit } from './stack-init.ts'
import { stackThreads } from './stack-threads.ts'
import { type Bench, type Line, table } from './support/report.ts'

const benches: Bench[] = [create, createParallel, acl, list, live, restart, cli, stackInit, stackThreads, chart]

const known = benches.map(({ name, about }) => `  ${name.padEnd(16)}${about}`).join('\n')
const options = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

function commandLine() {
  try {
    return parseArgs({ allowPositionals: true, options })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\nNext: npm run bench -- --help\n`)
    return process.exit(2)
  }
}

const { values, positionals } = commandLine()
if (values.help) {
  process.stdout.write(`npm run bench [NAME …] [-- --json]; all of them where none is named:\n${known}\n`)
  process.exit(0)
}
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name))
if (unknown.length > 0) {
  process.stderr.write(`there is no bench ${unknown.join(', ')}; there are\n${known}\n`)
  process.exit(2)
}

const load = () => loadavg().map((value) => value.toFixed(2))
const results: { bench: string; load: { before: string[]; after: string[] }; lines: Line[] }[] = []
for (const bench of benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name))) {
  const before = load()
  const lines = await bench.run((text) => process.stderr.write(`${bench.name}: ${text}\n`))
  const after = load()
  results.push({ bench: bench.name, load: { before, after }, lines })
  if (values.json) continue
  const machine = `${availableParallelism()} processors, load ${before[0]} before, ${after[0]} after`
  process.stdout.write(`\n${bench.name}: ${bench.about} (${machine})\n${table(lines)}\n`)
}
if (values.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`)
