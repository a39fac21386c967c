/** The shell scripts of a stack, rendered into a directory and run under every shell that is here. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { shellQuote } from '../../src/domain/shell-quote.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import type { StackSpec } from '../../src/domain/stack/spec.ts'
import { renderScripts } from '../../src/stack/scripts.ts'
import { requirePart } from './parts.ts'

export const isRoot = process.getuid?.() === 0

export type ScriptResult = { code: number | null; out: string[]; err: string }
export type ScriptOptions = { env?: Record<string, string>; uid?: number; cwd?: string }

export type ScriptRoom = {
  /** A directory for the test, gone with it. */
  dir: string
  /** Runs one of the scripts in `dir`; lines of its stdout, and its stderr. */
  run: (script: string, args?: string[], options?: ScriptOptions) => ScriptResult
  /** Whether a costly case is this shell's: each of a list falls to one of the shells. */
  takesTurn: (index: number) => boolean
  /** Renders the scripts anew, of another spec. */
  render: (spec: StackSpec) => void
}

/** The shells that the scripts promise to run under; `sh` is the machine's own. */
const SHELLS: string[][] = [['sh'], ['bash', '--posix'], ['busybox', 'sh']]

/** Where a program is. */
export const onPath = (program: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((dir) => join(dir, program))
    .find((file) => existsSync(file))

/** Its path, so that a test may take away the PATH. */
function shellProgram(t: TestContext, name: string): string | undefined {
  if (name === 'busybox') return requirePart(t, name)
  const path = onPath(name)
  if (path === undefined) t.skip(`${name} is not here`)
  return path
}

/** Declares a test for each shell. Its room lies under a name that nobody expects; others may enter it, for the runs as another user. */
export function testEachShell(name: string, body: (room: ScriptRoom, t: TestContext) => void | Promise<void>): void {
  for (const [turn, [shell = 'sh', ...args]] of SHELLS.entries())
    test(`${[shell, ...args].join(' ')}: ${name}`, async (t) => {
      const program = shellProgram(t, shell)
      if (program !== undefined) await body(makeScriptRoom(t, [program, ...args], turn), t)
    })
}

/** A room for one test. @param shell one of those that testEachShell tries, `sh` by default; @param turn its place among them */
export function makeScriptRoom(
  t: { after: (remove: () => void) => void },
  shell: string[] = ['sh'],
  turn = 0,
): ScriptRoom {
  const base = mkdtempSync(join(tmpdir(), 'stack-scripts-'))
  chmodSync(base, 0o755)
  t.after(() => rmSync(base, { recursive: true, force: true }))
  const [dir, scripts] = [join(base, 'room'), join(base, "it's $HOME")]
  mkdirSync(dir, { mode: 0o755 })
  mkdirSync(scripts)
  const render = (wanted: StackSpec) => {
    for (const [name, text] of Object.entries(renderScripts(wanted)))
      writeFileSync(join(scripts, name), text, { mode: 0o755 })
  }
  render(defaultSpec())
  return {
    dir,
    render,
    takesTurn: (index) => index % SHELLS.length === turn,
    run: (script, args = [], options = {}) => runScript([...shell, join(scripts, script), ...args], dir, options),
  }
}

function runScript(argv: string[], dir: string, { env, uid, cwd = dir }: ScriptOptions): ScriptResult {
  const [program = '', ...args] = argv
  const done = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
    env: { PATH: process.env['PATH'], ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  if (done.error !== undefined) throw done.error
  return { code: done.status, out: done.stdout.split('\n').filter(Boolean), err: done.stderr }
}

/** Asserts how a run ended, with everything it said where it did not. */
export function ended({ code, out, err }: ScriptResult, expected: number): { out: string[]; err: string } {
  assert.equal(code, expected, [...out, err].join('\n'))
  return { out, err }
}

export type FileState = { mode: string; uid: number; gid: number; inode: number; mtime: number; text: string }

/** All that is in a directory, by name: equal where nothing was touched. */
export function snapshot(dir: string): Record<string, FileState> {
  return Object.fromEntries(
    readdirSync(dir)
      .sort()
      .map((name) => {
        const stat = lstatSync(join(dir, name))
        const text = stat.isFile() ? readFileSync(join(dir, name), 'utf8') : ''
        const mode = (stat.mode & 0o7777).toString(8)
        return [name, { mode, uid: stat.uid, gid: stat.gid, inode: stat.ino, mtime: stat.mtimeMs, text }]
      }),
  )
}

/** A directory of programs that do something and then go on as the real ones. @returns a PATH of it alone, so that no other program runs */
export function wrappers(dir: string, programs: Readonly<Record<string, string>>): string {
  mkdirSync(dir, { mode: 0o755 })
  for (const [name, first] of Object.entries(programs)) {
    const real = onPath(name)
    if (real === undefined) continue
    writeFileSync(join(dir, name), `#!/bin/sh\n${first}\nexec ${shellQuote(real)} "$@"\n`, { mode: 0o755 })
  }
  return dir
}

/** A PATH on which the nth `mv` kills the script that called it, before anything is renamed. */
export function killedAtRename(dir: string, nth: number): string {
  const path = `${dir}.killing-${nth}`
  const count = shellQuote(`${path}.count`)
  const line = `echo >>${count}; [ "$(wc -l <${count})" -ne ${nth} ] || { kill -9 $PPID; exit 1; }`
  return `${wrappers(path, { mv: line })}${delimiter}${process.env['PATH']}`
}
