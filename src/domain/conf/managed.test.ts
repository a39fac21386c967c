import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverLayout } from '../server-plan.ts'
import { liveOrRestart } from './change.ts'
import { engineAtLeast } from './engine-version.ts'
import { type ManagedServer, managedConf } from './managed.ts'
import { renderConf } from './render.ts'

const server: ManagedServer = {
  layout: serverLayout('/srv/valkeep/servers', '/run/valkeep', 'srv_1'),
  listen: { host: '127.0.0.1', port: 16379 },
  maxMemoryMb: 64,
  settings: {},
  version: '8.0.1',
}

function value(conf: ReturnType<typeof managedConf>, name: string): string[] | undefined {
  return conf.find((directive) => directive.name === name)?.args
}

test('TLS only, ACL from the file only, nothing in the background', () => {
  const conf = managedConf(server)
  assert.deepEqual(value(conf, 'port'), ['0'])
  assert.deepEqual(value(conf, 'tls-port'), ['16379'])
  assert.deepEqual(value(conf, 'aclfile'), ['/srv/valkeep/servers/srv_1/acl/users.acl'])
  assert.deepEqual(value(conf, 'maxmemory'), ['67108864'])
  assert.deepEqual(value(conf, 'daemonize'), ['no'])
  const text = renderConf(conf)
  assert.ok(!/requirepass|masterauth|primaryauth|^user /m.test(text))
})

test('each directive stands once, and it is known how it changes', () => {
  for (const version of ['8.0.1', '8.1.1', '9.1.2']) {
    const names = managedConf({ ...server, version }).map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    assert.deepEqual(
      names.filter((name) => !liveOrRestart.has(name)),
      [],
    )
  }
})

test("the owner's settings win over fallbacks", () => {
  const conf = managedConf({
    ...server,
    settings: { maxmemory_policy: 'noeviction', save: [{ after_s: 5, changes: 6 }] },
  })
  assert.deepEqual(value(conf, 'maxmemory-policy'), ['noeviction'])
  assert.deepEqual(value(conf, 'save'), ['5', '6'])
  assert.deepEqual(value(managedConf(server), 'maxmemory-policy'), ['allkeys-lru'])
  assert.deepEqual(value(managedConf(server), 'save'), ['3600', '1', '300', '100', '60', '10000'])
})

test('an engine gets no directive that it does not know', () => {
  assert.equal(value(managedConf(server), 'commandlog-request-larger-than'), undefined)
  assert.deepEqual(value(managedConf({ ...server, version: '9.1.2' }), 'commandlog-request-larger-than'), ['1048576'])
})

test('clients fit into the open files that the process may have', () => {
  assert.deepEqual(value(managedConf({ ...server, openFiles: 4096 }), 'maxclients'), ['4064'])
  assert.deepEqual(value(managedConf({ ...server, openFiles: 20_000 }), 'maxclients'), ['10000'])
})

test('versions compare by number', () => {
  assert.ok(engineAtLeast('10.0.0', '9.1'))
  assert.ok(!engineAtLeast('8.0.1', '8.1'))
  assert.ok(engineAtLeast('9.1.0-rc1', '9.1'))
  assert.throws(() => engineAtLeast('unstable', '8.0'), TypeError)
})
