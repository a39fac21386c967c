import assert from 'node:assert/strict'
import { test } from 'node:test'
import { age, cell, details, printable, table } from './text.ts'

test('a table aligns its columns and leaves no trailing space', () => {
  const rows = [
    { name: 'a', port: 21000, on: true },
    { name: 'longer', port: null, on: false },
  ]
  const columns = [
    { title: 'NAME', value: (row: (typeof rows)[number]) => row.name },
    { title: 'PORT', value: (row: (typeof rows)[number]) => row.port },
    { title: 'ON', value: (row: (typeof rows)[number]) => row.on },
  ]
  assert.equal(table(rows, columns), 'NAME    PORT   ON\na       21000  yes\nlonger  -      no\n')
  assert.equal(table([], columns), 'NAME  PORT  ON\n')
})

test('details show what is nested below its name', () => {
  const record = {
    id: 'x',
    max_memory_mb: 64,
    settings: { save: [], maxclients: 10 },
    users: [{ username: 'a', password: 'p' }],
    none: {},
  }
  assert.equal(
    details(record),
    'id             x\nmax memory mb  64\nsettings\n  save        -\n  maxclients  10\nusers\n  username  password\n  a         p\nnone           -\n',
  )
})

test('cells are one line each and hold no control characters', () => {
  assert.equal(cell('a\nb\u001b[31mc'), 'a bc')
  assert.equal(cell(['+@read', '-del']), '+@read -del')
  assert.equal(cell([]), '-')
  assert.equal(cell(0), '0')
  assert.equal(printable('right\u202eto left'), 'right to left')
})

test('ages are short', () => {
  const now = new Date('2026-01-02T00:00:00Z')
  const cases = {
    '2026-01-01T23:59:55Z': '5s',
    '2026-01-01T23:50:00Z': '10m',
    '2026-01-01T20:00:00Z': '4h',
    '2025-12-01T00:00:00Z': '32d',
  }
  for (const [iso, text] of Object.entries(cases)) assert.equal(age(iso, now), text)
  assert.equal(age('2026-01-03T00:00:00Z', now), '0s', 'a clock behind the platform’s')
  assert.equal(age(null, now), '-')
  assert.equal(age('nonsense', now), '-')
})
