/**
 * examples/stack is what `valkeep stack init` writes, without secrets and certificates. After a change of the generator:
 *   VALKEEP_UPDATE_GOLDEN=1 npm test -- --only stack-example
 */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { ignoredPaths } from '../../src/domain/stack/places.ts'
import { renderCompose } from '../../src/stack/compose-file.ts'
import { renderStackConf } from '../../src/stack/conf-file.ts'
import { renderScripts } from '../../src/stack/scripts.ts'
import { renderSpec } from '../../src/stack/spec-file.ts'

const example = fileURLToPath(new URL('../../examples/stack/', import.meta.url))
const spec = defaultSpec()

const generated: Record<string, string> = {
  'stack.yaml': renderSpec(spec),
  '.gitignore': ignoredPaths(spec)
    .map((line) => `${line}\n`)
    .join(''),
  [spec.files.config]: renderStackConf(spec),
  [spec.files.compose]: renderCompose(spec, example, join(example, spec.files.compose)),
  ...Object.fromEntries(
    Object.entries(renderScripts(spec)).map(([name, text]) => [join(spec.files.scripts, name), text]),
  ),
}

test('examples/stack is what the generator writes, and holds nothing else', () => {
  if (process.env['VALKEEP_UPDATE_GOLDEN'] === '1')
    for (const [path, text] of Object.entries(generated)) {
      mkdirSync(join(example, dirname(path)), { recursive: true })
      writeFileSync(join(example, path), text, { mode: path.endsWith('.sh') ? 0o755 : 0o644 })
    }
  const files = readdirSync(example, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(example, path)).isFile(),
  )
  assert.deepEqual(files.sort(), [...Object.keys(generated), 'README.md'].sort())
  for (const [path, text] of Object.entries(generated))
    assert.equal(readFileSync(join(example, path), 'utf8'), text, path)
  for (const path of files.filter((name) => name.endsWith('.sh')))
    assert.equal(statSync(join(example, path)).mode & 0o111, 0o111, `${path} can be run`)
})
