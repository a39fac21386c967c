/** The tour of docs/stack.md prints what it shows, on a real Docker engine. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { assertPrinted, consoleBlocks, runInShell } from '../support/doc-blocks.ts'
import { requireDocker, startDockerd } from '../support/dockerd.ts'

const root = resolve(import.meta.dirname, '../..')

test('the tour of docs/stack.md prints what it shows', { timeout: 120_000 }, async (t) => {
  if (!requireDocker(t)) return
  const tour = consoleBlocks(readFileSync(join(root, 'docs/stack.md'), 'utf8'), 'runnable: stack')
  assert.ok(tour.length > 15, String(tour.length))
  const engine = await startDockerd()
  const cwd = mkdtempSync(join(tmpdir(), 'vk-tour-'))
  t.after(async () => {
    await engine.stop()
    rmSync(cwd, { recursive: true })
  })
  await engine.importValkeyImage()
  const env = { ...process.env, ...engine.env, PATH: `${join(root, 'bin')}:${engine.env.PATH}` }
  const printed = await runInShell({ cwd, env }, tour)
  assert.equal(printed.length, tour.length)
  for (const [index, shown] of tour.entries()) assertPrinted(shown, printed[index] ?? [])
})
