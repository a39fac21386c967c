import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asCalled } from './command-name.ts'

test('commands are named as the program was called, and nothing else is', () => {
  assert.equal(
    asCalled('Next: valkeep up, or valkeep --version', './valkeep'),
    'Next: ./valkeep up, or ./valkeep --version',
  )
  const others = 'a fault of valkeep itself; ./valkeep up; /share/valkeep up; my-valkeep up; valkeep uptime'
  assert.equal(asCalled(others, 'x'), others)
  assert.equal(asCalled('valkeep down', '$&'), '$& down')
})
