import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName } from '../nearest-name.ts'
import { describeSettings, nearestSetting } from './describe.ts'
import { settingNames } from './settings.ts'

test('every setting has words for what it takes', () => {
  const all = describeSettings()
  assert.deepEqual(
    all.map((each) => each.name),
    settingNames,
  )
  for (const { name, values, about } of all) {
    assert.doesNotMatch(values, /undefined/, name)
    assert.doesNotMatch(about, /Changes (live|by)/, name)
  }
  const marked = describeSettings((text) => `<${text}>`).find((each) => each.name === 'appendfsync')
  assert.equal(marked?.values, '<everysec>, <always>')
})

test('a setting is found by its directive, with dashes, and with a slip', () => {
  assert.equal(nearestSetting('maxmemory-policy'), 'maxmemory_policy')
  assert.equal(nearestSetting('auto-aof-rewrite-min-size'), 'auto_aof_rewrite_min_size_mb')
  assert.equal(nearestSetting('timeout'), 'timeout_s')
  assert.equal(nearestSetting('Maxmemory_Polcy'), 'maxmemory_policy')
  assert.equal(nearestSetting('entirely-different'), undefined)
})

test('the nearest name is near', () => {
  assert.equal(nearestName('prot', ['port', 'host']), 'port')
  assert.equal(nearestName('zzzzzzzz', ['port', 'host']), undefined)
})
