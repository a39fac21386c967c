import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { DataState } from '../../domain/plan/spec.ts'
import { dataNames, dataState } from './data-state.ts'

const blank = 'REDIS0011\xff'
const full = 'REDIS0011\xfe'
const newer = 'VALKEY080\xfa\x0avalkey-ver\x059.1.2\xfe'
const manifest = 'file b.1.base.rdb seq 1 type b\nfile i.1.incr.aof seq 1 type i\n'

describe('data state', () => {
  const root = mkdtempSync(join(tmpdir(), 'vkdata-'))
  after(() => rmSync(root, { recursive: true }))

  const judge = (files: Record<string, string>): Promise<DataState> => {
    const dir = mkdtempSync(join(root, 'd-'))
    for (const [name, text] of Object.entries(files)) {
      const path = join(dir, name.replace('aof/', 'appendonlydir/'))
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text, 'latin1')
    }
    return dataState(dir, dataNames([]), '8.0.1')
  }
  const kinds: [what: string, kind: DataState['kind'], files: Record<string, string>][] = [
    ['nothing', 'empty', {}],
    ['a save that was killed', 'empty', { 'temp-12.rdb': full }],
    ['a first start killed before its manifest', 'empty', { 'aof/a.1.base.rdb': blank, 'aof/a.1.incr.aof': '' }],
    ['a rewrite killed', 'rdb-only', { 'dump.rdb': full, 'aof/temp-appendonly.aof.incr': 'x' }],
    ['a snapshot alone', 'rdb-only', { 'dump.rdb': full }],
    ['no RDB under its name', 'unsafe', { 'dump.rdb': 'hello' }],
    ['a snapshot of a newer engine', 'unsafe', { 'dump.rdb': newer }],
    ['a base with keys and no manifest', 'unsafe', { 'aof/a.1.base.rdb': full, 'dump.rdb': full }],
    ['commands and no manifest', 'unsafe', { 'aof/a.1.base.rdb': blank, 'aof/a.1.incr.aof': 'x' }],
    [
      'all that the manifest names',
      'aof',
      { 'aof/appendonly.aof.manifest': manifest, 'aof/b.1.base.rdb': full, 'aof/i.1.incr.aof': '' },
    ],
    ['a missing increment', 'unsafe', { 'aof/appendonly.aof.manifest': manifest, 'aof/b.1.base.rdb': full }],
    ['a missing base', 'unsafe', { 'aof/appendonly.aof.manifest': manifest, 'aof/i.1.incr.aof': '' }],
    [
      'a base of a newer engine',
      'unsafe',
      { 'aof/appendonly.aof.manifest': manifest, 'aof/b.1.base.rdb': newer, 'aof/i.1.incr.aof': '' },
    ],
    [
      'history that was deleted',
      'aof',
      {
        'aof/appendonly.aof.manifest': `${manifest}file h.aof seq 1 type h\n`,
        'aof/b.1.base.rdb': full,
        'aof/i.1.incr.aof': '',
      },
    ],
    ['an empty manifest', 'unsafe', { 'aof/appendonly.aof.manifest': '', 'aof/b.1.base.rdb': full }],
    ['a manifest that leads elsewhere', 'unsafe', { 'aof/appendonly.aof.manifest': 'file ../x seq 1 type b\n' }],
  ]
  for (const [what, kind, files] of kinds) {
    it(`is ${kind} with ${what}`, async () => assert.equal((await judge(files)).kind, kind))
  }

  it('names the engine and what is in the way', async () => {
    assert.deepEqual(await judge({ 'dump.rdb': newer }), {
      kind: 'unsafe',
      reason: 'dump.rdb was written by Valkey 9.1.2 in format 80, which Valkey 8.0.1 cannot open',
    })
  })
})
