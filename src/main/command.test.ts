import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandFor, commandName } from './command.ts'

test('the program is named as it was called, where that is a plain word', () => {
  assert.equal(commandName('./valkeep'), './valkeep')
  for (const given of [undefined, '', 'a b', 'a;b', '$(x)', '-\n']) assert.equal(commandName(given), 'valkeep')
})

test('a data directory of its own is carried along', () => {
  assert.equal(commandFor('./valkeep', '/d', '/d'), './valkeep')
  assert.equal(commandFor('valkeep', '/x', '/d'), 'VALKEEP_HOME=/x valkeep')
  assert.equal(commandFor('valkeep', "/x y'z", '/d'), "VALKEEP_HOME='/x y'\\''z' valkeep")
})
