import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  harmfulChanges,
  type InstanceSettings,
  instanceSettingsSchema,
  settings,
  settingNames,
  settingsToDirectives,
  unsupportedSettings,
} from './settings.ts'

function accepts(input: unknown): boolean {
  return instanceSettingsSchema.safeParse(input).success
}

test('every setting may be left out, and every fallback is within its own range', () => {
  assert.deepEqual(instanceSettingsSchema.parse({}), {})
  const all = Object.fromEntries(settingNames.map((name) => [name, settings[name].fallback]))
  assert.deepEqual(instanceSettingsSchema.parse(all), all)
})

test('no two settings write the same directive', () => {
  const directives = settingNames.map((name) => settings[name].directive)
  assert.equal(new Set(directives).size, directives.length)
})

test('the eight policies, and no other', () => {
  for (const policy of ['noeviction', 'allkeys-lru', 'allkeys-lfu', 'allkeys-random'])
    assert.ok(accepts({ maxmemory_policy: policy }))
  for (const policy of ['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'])
    assert.ok(accepts({ maxmemory_policy: policy }))
  for (const policy of ['ALLKEYS-LRU', 'lru', '', 'allkeys-lru\nport 1'])
    assert.ok(!accepts({ maxmemory_policy: policy }))
})

const refused: [string, unknown][] = [
  ['an unknown name', { requirepass: 'x' }],
  ['a directive’s own name', { 'maxmemory-policy': 'noeviction' }],
  ['__proto__', JSON.parse('{"__proto__": {"hz": 20}}')],
  ['constructor', JSON.parse('{"constructor": {"prototype": {"hz": 20}}}')],
  ['a number as text', { hz: '20' }],
  ['text for a flag', { activerehashing: 'yes' }],
  ['a number for a flag', { activerehashing: 1 }],
  ['null', { hz: null }],
  ['a fraction', { hz: 1.5 }],
  ['not a number', { hz: Number.NaN }],
  ['too much', { hz: 501 }],
  ['far too much', { timeout_s: 1e30 }],
  ['below nothing', { maxclients: -1 }],
  ['zero as a list size', { list_max_listpack_size: 0 }],
  ['letters that are no event classes', { notify_keyspace_events: 'KEQ' }],
  ['a newline among event classes', { notify_keyspace_events: 'KE\n' }],
  ['appendfsync no', { appendfsync: 'no' }],
  ['a schedule as text', { save: '3600 1' }],
  ['a schedule with an unknown field', { save: [{ after_s: 1, changes: 1, x: 1 }] }],
  ['a schedule of nine rules', { save: Array.from({ length: 9 }, () => ({ after_s: 1, changes: 1 })) }],
  ['an array', []],
]

for (const [what, input] of refused) {
  test(`refuses ${what}`, () => {
    assert.ok(!accepts(input))
    assert.equal(({} as Record<string, unknown>).hz, undefined)
  })
}

test('directives of what was given, and nothing else', () => {
  const given: InstanceSettings = {
    io_threads: 2,
    save: [],
    lazyfree_lazy_eviction: false,
    notify_keyspace_events: '',
    auto_aof_rewrite_min_size_mb: 2,
  }
  assert.deepEqual(settingsToDirectives(given, '8.0.1'), [
    { name: 'lazyfree-lazy-eviction', args: ['no'] },
    { name: 'save', args: [''] },
    { name: 'auto-aof-rewrite-min-size', args: ['2097152'] },
    { name: 'notify-keyspace-events', args: [''] },
    { name: 'io-threads', args: ['2'] },
  ])
})

test('a setting of a newer engine is named as unsupported and not rendered for an older one', () => {
  const given: InstanceSettings = { hz: 20, commandlog_large_reply_max_len: 5 }
  assert.deepEqual(unsupportedSettings(given, '8.0.1'), ['commandlog_large_reply_max_len'])
  assert.deepEqual(unsupportedSettings(given, '8.1.1'), [])
  assert.deepEqual(
    settingsToDirectives(given, '8.0.9').map((d) => d.name),
    ['hz'],
  )
  assert.equal(settingsToDirectives(given, '9.1.2').length, 2)
})

test('the number of databases only grows', () => {
  assert.deepEqual(harmfulChanges({ databases: 32 }, { databases: 31 }), ['databases'])
  assert.deepEqual(harmfulChanges({ databases: 32 }, {}), ['databases'])
  assert.deepEqual(harmfulChanges({}, { databases: 16 }), [])
  assert.deepEqual(harmfulChanges({ databases: 16, hz: 20 }, { databases: 17, hz: 10 }), [])
})
