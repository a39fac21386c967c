import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError } from './exit-code.ts'
import { effectiveText, verdictsOn } from './user-effective.ts'

const view = {
  connect: true,
  keys: ['~a:*'],
  channels: [],
  families: [],
  allowed: ['CLIENT SETNAME', 'GET', 'GETRANGE', 'HGET', 'MGET', 'TTL'],
  denied: [
    { command: 'CLIENT KILL', reason: 'not a tenant’s' },
    { command: 'SET', reason: 'not included' },
  ],
  notes: ['A note.'],
}

test('commands are grouped by family, and no line is wider than the terminal', () => {
  const text = effectiveText(view, 20)
  assert.match(text, /^note: A note\.$/m)
  assert.match(text, /^allowed \(6\)\n {2}connection\n {4}CLIENT SETNAME\n {2}hash\n {4}HGET\n/m)
  assert.match(text, /^ {2}string\n {4}GET, GETRANGE,\n {4}MGET\n/m)
  assert.match(text, /^denied \(2\)\n/m)
  const listed = text.slice(text.indexOf('allowed')).split('\n')
  for (const line of listed) assert.ok(line.length <= 20, line)
})

test('one command is asked about as a person types it', () => {
  assert.deepEqual(verdictsOn(view, ['set']), [{ command: 'SET', allowed: false, reason: 'not included' }])
  assert.deepEqual(
    verdictsOn(view, ['client']).map((each) => each.command),
    ['CLIENT KILL', 'CLIENT SETNAME'],
  )
  assert.equal(verdictsOn(view, ['client|setname'])[0]?.allowed, true)
  assert.throws(
    () => verdictsOn(view, ['GE']),
    (error: CliError) => error.exitCode === 5,
  )
})
