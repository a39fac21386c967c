import { execFileSync, spawn } from 'node:child_process'
import { cpSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeHome } from './support/home.ts'
import { type Bench, figure, type Line, percentile } from './support/report.ts'
import { inTurns } from './support/turns.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const goalMs = 150
const turns = 40
const warmUp = 5

/** The program as it is published: compiled, found by its shell launcher; against Node that does nothing. */
export const cli: Bench = {
  name: 'cli',
  about: 'start of the compiled, installed program',
  async run(progress) {
    const home = await makeHome(29_000)
    try {
      progress('compiling')
      const program = install(join(home.dir, 'valkeep'))
      await home.up()
      const timed = (command: string, args: string[]) => () => runMs(command, args, home.env)
      const bare = timed(process.execPath, ['-e', '0'])
      const lines: Line[] = []
      for (const [what, ours] of [
        ['valkeep --help', timed(program, ['--help'])],
        ['valkeep status', timed(program, ['status'])],
        [
          'the launcher alone',
          timed('sh', [
            '-c',
            `. ${dirname(program)}/find-node.sh; find_node ${dirname(dirname(program))}; exec $node -e 0`,
          ]),
        ],
      ] as const) {
        progress(what)
        const measured = await inTurns(turns, warmUp, ours, bare)
        const p50 = percentile(measured.ours, 0.5)
        lines.push({
          what,
          goal: `p50 < ${goalMs} ms`,
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio: p50 / percentile(measured.raw, 0.5),
          met: p50 < goalMs,
          cause: `raw is node -e 0 (${process.version})`,
        })
      }
      return lines
    } finally {
      await home.remove()
    }
  },
}

/** Puts together what the package holds, with the node_modules that are here. @returns the program */
function install(dir: string): string {
  const tsc = join(root, 'node_modules/.bin/tsc')
  execFileSync(tsc, ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(dir, 'dist')], { stdio: 'inherit' })
  for (const name of ['bin', 'package.json']) cpSync(join(root, name), join(dir, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  return join(dir, 'bin/valkeep')
}

function runMs(command: string, args: string[], env: Record<string, string>): Promise<number> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve(performance.now() - startedAt) : reject(new Error(`${command} ended (${code})`)),
    )
  })
}
