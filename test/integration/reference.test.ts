/** In a process of its own: zod names the schemas of the description by what the process has made of them before. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { documentFile, documents } from '../../scripts/gen-docs.ts'

for (const { path, render } of documents)
  test(`${path} is what scripts/gen-docs.ts makes`, async () => {
    assert.equal(readFileSync(documentFile(path), 'utf8'), await render(), 'run: node scripts/gen-docs.ts')
  })
