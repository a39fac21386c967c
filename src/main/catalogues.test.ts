import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { causes, isCauseCode } from '../domain/cause.ts'
import { problems } from '../domain/problem.ts'

const src = fileURLToPath(new URL('..', import.meta.url))
const catalogues = ['domain/cause.ts', 'domain/problem.ts']
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !/\.(test|gen)\.ts$/.test(name) && !catalogues.includes(name))
  .map((name) => readFileSync(`${src}/${name}`, 'utf8'))
const unused = (codes: string[]) => codes.filter((code) => !sources.some((text) => text.includes(`'${code}'`)))

// That every code used is in a catalogue is proven by their types.
test('every cause and every problem of the catalogues is used', () => {
  assert.deepEqual(unused(Object.keys(causes)), [])
  assert.deepEqual(unused(Object.keys(problems)), [])
})

test('a remedy reads on after "To do: " and ends without a full stop', () => {
  for (const [code, { title, remedy }] of Object.entries(causes)) {
    assert.match(title, /^[A-Z].*[^.]$/, code)
    assert.match(remedy, /^[a-z].*[^.]$/, code)
  }
})

test('only the catalogue’s own codes are cause codes', () => {
  assert.ok(isCauseCode('port-taken'))
  for (const text of ['ENOENT', 'toString', '__proto__', '']) assert.equal(isCauseCode(text), false, text)
})
