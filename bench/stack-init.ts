import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Bench, figure, percentile } from './support/report.ts'
import { inTurns } from './support/turns.ts'

const program = fileURLToPath(new URL('../bin/valkeep', import.meta.url))
const turns = 25
const warmUp = 3

/** Writes the files that it is given, each synced and renamed: what a disk and Node ask for the same result. */
const bare = `
const fs = require('node:fs'), path = require('node:path')
for (const [file, text] of JSON.parse(fs.readFileSync(0, 'utf8'))) {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const fd = fs.openSync(file + '.tmp', 'wx', 0o600)
  fs.writeFileSync(fd, text); fs.fsyncSync(fd); fs.closeSync(fd); fs.renameSync(file + '.tmp', file)
  const dir = fs.openSync(path.dirname(file), 'r'); fs.fsyncSync(dir); fs.closeSync(dir)
}`

function timed(command: string, args: string[], input = ''): number {
  const startedAt = performance.now()
  const { status, stderr } = spawnSync(command, args, { input, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended (${status}): ${stderr}`)
  return performance.now() - startedAt
}

/** The whole deployment into a directory whose keys and certificates are there already. */
export const stackInit: Bench = {
  name: 'stack-init',
  about: 'valkeep stack init, without its key generation',
  async run(progress) {
    const dir = mkdtempSync(join(tmpdir(), 'vkb-stack-'))
    try {
      progress('making keys, once')
      const model = join(dir, 'model')
      timed(program, ['stack', 'init', model])
      const certs = (name: string) => {
        const target = join(dir, name)
        cpSync(join(model, 'certs'), join(target, 'certs'), { recursive: true })
        return target
      }
      const files = readdirSync(model, { recursive: true, encoding: 'utf8' }).filter(
        (path) => !path.startsWith('certs') && statSync(join(model, path)).isFile(),
      )
      const measured = await inTurns(
        turns,
        warmUp,
        async (turn) => timed(program, ['stack', 'init', certs(`ours-${turn}`)]),
        async (turn) => {
          const texts = files.map((path) => [join(dir, `raw-${turn}`, path), readFileSync(join(model, path), 'utf8')])
          return timed(process.execPath, ['-e', bare], JSON.stringify(texts))
        },
      )
      const ratio = percentile(measured.ours, 0.5) / percentile(measured.raw, 0.5)
      return [
        {
          what: `stack init, ${files.length} files`,
          goal: 'p50 < 500 ms',
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio,
          met: percentile(measured.ours, 0.5) < 500,
          cause:
            'raw is a bare Node that writes and syncs the same bytes; ours loads zod and yaml besides, and checks the certificates',
        },
      ]
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
}
