import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'

const root = resolve(import.meta.dirname, '../..')

/** The layers from the ground up: an import may go to its own row or to a row above it in this list. */
const TIERS = [
  ['domain'],
  ['valkey', 'runtime', 'store', 'vault'],
  ['control', 'agent', 'insight'],
  ['api', 'operator', 'stack', 'cli'],
  ['main'],
]

/** Lints files of the given content under the project's rules, in a directory of their own; answers `path: rule` for each finding. */
function lint(files: Record<string, string>, ...options: string[]): string[] {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-walls-'))
  try {
    copyFileSync(join(root, '.oxlintrc.json'), join(dir, '.oxlintrc.json'))
    copyFileSync(join(root, 'tsconfig.json'), join(dir, 'tsconfig.json'))
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(join(dir, dirname(path)), { recursive: true })
      writeFileSync(join(dir, path), content)
    }
    const run = spawnSync(
      process.execPath,
      [join(root, 'node_modules/oxlint/bin/oxlint'), '-f', 'json', ...options, '.'],
      {
        cwd: dir,
        encoding: 'utf8',
      },
    )
    const report = JSON.parse(run.stdout) as { diagnostics: { code: string; filename: string; help?: string }[] }
    assert.equal(run.status, report.diagnostics.length > 0 ? 1 : 0, run.stderr)
    return report.diagnostics.map((found) => `${found.filename}: ${found.code}`).sort()
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const layers = TIERS.flatMap((names, tier) => names.map((name) => ({ name, tier })))
const WALL = 'eslint(no-restricted-imports)'

test('an import of a higher layer is refused from every layer, one of a lower layer is not', () => {
  const files: Record<string, string> = {}
  const refused: string[] = []
  for (const from of layers) {
    for (const to of layers) {
      if (from.name === to.name) continue
      const path = `src/${from.name}/deep/to-${to.name}.ts`
      files[path] = `import { x } from '../../${to.name}/x.ts'\nexport const y = x\n`
      if (to.tier > from.tier) refused.push(`${path}: ${WALL}`)
    }
  }
  assert.deepEqual(lint(files), refused.sort())
})

test('a type import, a dynamic import and a re-export do not get around a wall', () => {
  const found = lint({
    'src/store/a.ts': "import type { X } from '../api/x.ts'\nexport type Y = X\n",
    'src/store/b.ts': "export { x } from '../api/x.ts'\n",
    'src/store/c.ts': "export const x = () => import('../api/x.ts')\n",
  })
  for (const file of ['src/store/a.ts', 'src/store/b.ts', 'src/store/c.ts']) {
    assert.ok(found.includes(`${file}: ${WALL}`), `${file} is not refused: ${found.join(', ')}`)
  }
})

test('domain imports only itself and zod; its tests also the test runner and fast-check', () => {
  const importing = (name: string) => `import { x } from '${name}'\nexport const y = x\n`
  assert.deepEqual(
    lint({
      'src/domain/zod.ts': importing('zod'),
      'src/domain/self.ts': importing('./model/x.ts'),
      'src/domain/fs.ts': importing('node:fs'),
      'src/domain/zod-like.ts': importing('zod-like'),
      'src/domain/x.test.ts': importing('fast-check'),
      'src/domain/y.test.ts': importing('node:fs'),
    }),
    ['src/domain/fs.ts', 'src/domain/y.test.ts', 'src/domain/zod-like.ts'].map((file) => `${file}: ${WALL}`),
  )
})

test('only src/main reads the environment', () => {
  const found = lint({
    'src/control/a.ts': 'export const home = process.env.HOME\n',
    'src/control/b.ts': "import { env } from 'node:process'\nexport const home = env.HOME\n",
    'src/main/c.ts': 'export const home = process.env.HOME\n',
    'test/support/d.ts': 'export const home = process.env.HOME\n',
  })
  assert.deepEqual(found, ['src/control/a.ts: node(no-process-env)', `src/control/b.ts: ${WALL}`])
})

test('the product does not import its tests', () => {
  const bad = "import { x } from '../../test/support/x.ts'\nexport const y = x\n"
  assert.deepEqual(
    lint({ 'src/api/x.ts': bad, 'src/main/x.ts': bad, 'src/api/x.test.ts': bad }),
    ['src/api/x.ts', 'src/main/x.ts'].map((file) => `${file}: ${WALL}`),
  )
})

test('a promise left alone, an open switch, a long function and a long file are refused', () => {
  const lines = (count: number) => 'x()\n'.repeat(count)
  const found = lint(
    {
      'src/api/promise.ts': 'async function x() {}\nx()\n',
      'src/api/handler.ts': '[1].forEach(async () => {})\n',
      'src/api/switch.ts':
        "export function f(x: 'a' | 'b'): number {\n  switch (x) {\n    case 'a':\n      return 1\n  }\n  return 2\n}\n",
      'src/api/function.ts': `function x() {}\nexport function f() {\n${lines(70)}}\n`,
      'src/api/file.ts': `function x() {}\n${lines(400)}`,
    },
    '--type-aware',
  )
  assert.deepEqual(found, [
    'src/api/file.ts: eslint(max-lines)',
    'src/api/function.ts: eslint(max-lines-per-function)',
    'src/api/handler.ts: typescript(no-misused-promises)',
    'src/api/promise.ts: typescript(no-floating-promises)',
    'src/api/switch.ts: typescript(switch-exhaustiveness-check)',
  ])
})
