import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { createInstanceBody } from '../domain/model/instance.ts'
import { fieldLine, wordOf } from './problem-words.ts'

test('fields are named as on the command line', () => {
  const cases = {
    '/max_memory_mb': '--memory-mb',
    '/password': '--password-stdin',
    '/users/0/password': '--password-stdin',
    '/users/0/username': '--user',
    '/users/2/username': '--user (no. 3)',
    '/users/0/privileges/1': '--privileges (no. 2)',
    '/privileges/0': '--privileges',
    '/settings/maxclients': '--set maxclients',
    '/settings/save/0/after_s': '--set save (0/after_s)',
    '/ttl_s': '--ttl',
    '?limit': '--limit',
    '/from_the_future': '/from_the_future',
    '/constructor': '/constructor',
    '/users/0/constructor': 'constructor',
    '': 'the request',
  }
  for (const [pointer, word] of Object.entries(cases)) assert.equal(wordOf(pointer), word)
})

test("zod's own sentences are read as ours", () => {
  const said = (schema: z.ZodType, value: unknown) =>
    fieldLine({ pointer: '/ttl_s', detail: schema.safeParse(value).error?.issues[0]?.message ?? 'none' })
  assert.equal(said(z.int().min(60), 1), '--ttl: must be at least 60')
  assert.equal(said(z.int().max(60), 100), '--ttl: must be at most 60')
  assert.equal(said(z.int(), 'x'), '--ttl: must be a number, not text')
  assert.equal(said(z.int(), 1.5), '--ttl: must be a whole number, not a number')
  assert.equal(said(z.array(z.int()).max(1), [1, 2]), '--ttl: must have at most 1 items')
  assert.equal(said(z.string().max(1), 'ab'), '--ttl: must have at most 1 characters')
  assert.equal(said(z.enum(['a', 'b']), 'c'), '--ttl: must be one of a, b')
  assert.equal(said(z.iso.datetime(), 'c'), '--ttl: must be a time in UTC such as 2030-01-31T00:00:00Z')
  const issue = createInstanceBody.safeParse({ name: 'a', max_memory_mb: 1e30 }).error?.issues[0]
  assert.doesNotMatch(fieldLine({ pointer: '/max_memory_mb', detail: issue?.message ?? '' }), /expected|Invalid|Too/)
})

test('an unknown privilege names what there is', () => {
  const line = fieldLine({ pointer: '/privileges/0', code: 'unknown_command', detail: 'there is no such command' })
  assert.match(line, /^--privileges: there is no such command; there are the presets read-only, read-write, full, /)
})
