import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingNames } from './server-names.ts'

test('a name is carried as it is, in whatever case, or by a wildcard one level above it', () => {
  const missing = (carried: string[], ...dns: string[]) =>
    missingNames({ dns: carried, addresses: ['127.0.0.1'] }, { dns, addresses: [] })
  assert.deepEqual(missing(['Valkey', '*.example.org'], 'valkey', 'a.example.org', '*.example.org'), [])
  assert.deepEqual(missing(['*.example.org'], 'example.org', 'b.a.example.org', '*.a.example.org'), [
    ...['example.org', 'b.a.example.org', '*.a.example.org'],
  ])
  assert.deepEqual(missing(['*.valkey', '*'], 'valkey'), ['valkey'])
})

test('an address is carried as it is', () => {
  const carried = { dns: ['*.0.0.1'], addresses: ['127.0.0.1'] }
  assert.deepEqual(missingNames(carried, { dns: [], addresses: ['127.0.0.1', '::1'] }), ['::1'])
})
