import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { serverLayout } from '../server-plan.ts'
import type { Directive } from './directive.ts'
import { managedConf } from './managed.ts'
import { parseConf } from './parse.ts'
import { renderConf } from './render.ts'
import { diffConf } from './same.ts'

const desired = managedConf({
  layout: serverLayout('/srv/valkeep/servers', '/run/valkeep', 'srv_1'),
  listen: { host: '127.0.0.1', port: 16379 },
  maxMemoryMb: 64,
  settings: { notify_keyspace_events: 'KEA' },
  version: '8.1.1',
})
const running = Object.fromEntries(desired.map(({ name, args }) => [name, args.join(' ')]))

function withLine(line: string): Directive[] {
  const [directive] = parseConf(line)
  return [...desired.filter(({ name }) => name !== directive?.name), ...parseConf(line)]
}

test('what was rendered is no drift, in any order', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(desired, { minLength: desired.length }), (shuffled) => {
      assert.deepEqual(diffConf(desired, parseConf(renderConf(shuffled)), running), {
        file: false,
        live: [],
        restart: [],
      })
    }),
    { numRuns: 20 },
  )
})

const same = [
  'maxmemory 64mb',
  'maxmemory 65536KB',
  'save 60 10000\nsave 3600 1\nsave 300 100',
  'save 1 1\nsave ""\nsave 3600 1 300 100 60 10000',
  'APPENDONLY Yes',
  "tls-protocols 'TLSv1.3 TLSv1.2'",
  'notify-keyspace-events AKE',
  'notify-keyspace-events g$lshzxetdKE',
  'unixsocketperm 0700',
  'maxmemory-policy ALLKEYS-LRU',
  'hz 99\nhz 10',
  "logfile ''",
]
for (const line of same) {
  test(`the same meaning: ${JSON.stringify(line)}`, () =>
    assert.equal(diffConf(desired, withLine(line), null).file, false))
}

const other = [
  'maxmemory 64m',
  'maxmemory 64xb',
  'save ""',
  'save 3600 1',
  'hz 10\nhz 99',
  'requirepass x',
  'dir /elsewhere/srv_1/data',
  'notify-keyspace-events KE',
  'bind 0.0.0.0',
  'loadmodule /tmp/x.so',
]
for (const line of other) {
  test(`another meaning: ${JSON.stringify(line)}`, () =>
    assert.equal(diffConf(desired, withLine(line), null).file, true))
}

test('a missing or unreadable file is drift; without an answer nothing is said of the server', () => {
  assert.deepEqual(diffConf(desired, null, null), { file: true, live: [], restart: [] })
  assert.equal(diffConf(desired, desired.slice(1), null).file, true)
})

test('a value changed by hand goes back live where it can', () => {
  const diff = diffConf(desired, desired, { ...running, hz: '50', 'io-threads': '4', save: '', aclfile: '/x' })
  assert.deepEqual(diff, {
    file: false,
    live: [
      { name: 'save', args: ['3600', '1', '300', '100', '60', '10000'] },
      { name: 'hz', args: ['10'] },
    ],
    restart: ['io-threads', 'aclfile'],
  })
})

test('certificate and key travel together', () => {
  const diff = diffConf(desired, desired, { ...running, 'tls-cert-file': '/x' })
  assert.deepEqual(
    diff.live.map(({ name }) => name),
    ['tls-cert-file', 'tls-key-file', 'tls-ca-cert-file'],
  )
})

test('the server tells its directory with links resolved, which is no drift; another server’s directory is', () => {
  assert.deepEqual(
    diffConf(desired, desired, { ...running, dir: '/private/srv/valkeep/servers/srv_1/data' }).restart,
    [],
  )
  assert.deepEqual(diffConf(desired, desired, { ...running, dir: '/srv/valkeep/servers/srv_2/data' }).restart, ['dir'])
})

test('the server keeps quiet about one event class where all others are on, but not where they are not', () => {
  const [all, some] = ['KEAn', 'KEgn'].map((letters) => [{ name: 'notify-keyspace-events', args: [letters] }])
  assert.deepEqual(diffConf(all ?? [], null, { 'notify-keyspace-events': 'AKE' }).live, [])
  assert.deepEqual(diffConf(some ?? [], null, { 'notify-keyspace-events': 'gKE' }).live, some)
})

test('names that mean something to JavaScript mean nothing here', () => {
  const hostile = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>
  assert.deepEqual(diffConf([{ name: 'constructor', args: ['z'] }], null, {}), { file: true, live: [], restart: [] })
  assert.deepEqual(diffConf(desired, desired, hostile), { file: false, live: [], restart: [] })
})
