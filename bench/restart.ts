import { spawn } from 'node:child_process'
import { makeHome } from './support/home.ts'
import { createInstance } from './support/instances.ts'
import { type Bench, figure, type Line, percentile } from './support/report.ts'
import { insertRows } from './support/rows.ts'
import { inTurns } from './support/turns.ts'

const goalMs = 1_000
const rows = 10_000
const instances = 20
const turns = 20
const warmUp = 3

/** What any platform on Node pays: the runtime, SQLite and a listening HTTP server. */
const bare = `
  const { DatabaseSync } = require('node:sqlite')
  new DatabaseSync(':memory:').exec('create table t (id)')
  const server = require('node:http').createServer()
  server.listen(0, '127.0.0.1', () => { console.log('ready'); server.close() })
`

/** From the start of the process to its ready line, with what there is to find then. */
export const restart: Bench = {
  name: 'restart',
  about: 'process start until the ready line',
  async run(progress) {
    const lines: Line[] = []
    for (const [what, fill] of [
      [`${rows} rows`, fillRows],
      [`${instances} live instances`, fillLive],
    ] as const) {
      const home = await makeHome(29_000)
      try {
        progress(what)
        await fill(home)
        const ours = async () => {
          const up = await home.up()
          await up.stop()
          return up.readyMs
        }
        const measured = await inTurns(turns, warmUp, ours, bareMs)
        const p99 = percentile(measured.ours, 0.99)
        lines.push({
          what,
          goal: `p99 < ${goalMs} ms`,
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio: percentile(measured.ours, 0.5) / percentile(measured.raw, 0.5),
          met: p99 < goalMs,
          cause: 'raw is Node with an empty SQLite and a listening HTTP server; each start is of a warm compile cache',
        })
      } finally {
        await home.remove()
      }
    }
    return lines
  },
}

type Home = Awaited<ReturnType<typeof makeHome>>

async function fillRows(home: Home): Promise<void> {
  const up = await home.up()
  await up.stop()
  await insertRows(home.home, up.tenantId, rows)
}

async function fillLive(home: Home): Promise<void> {
  const up = await home.up()
  for (let at = 0; at < instances; at++) await createInstance(up, `bench-${at}`)
  await up.stop()
}

function bareMs(): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['--no-warnings', '-e', bare], { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    let ms = 0
    child.stdout.once('data', () => {
      ms = performance.now() - startedAt
    })
    child.once('exit', (code) => (code === 0 ? resolve(ms) : reject(new Error(`node ended (${code})`))))
  })
}
