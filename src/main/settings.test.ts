import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Machine, settingTable } from './setting-table.ts'
import { loadSettings } from './settings.ts'

const machine = (env: Record<string, string> = {}): Machine => ({
  homeDir: '/home/ada',
  cwd: '/srv',
  uid: 1000,
  memoryMb: 1000,
  env,
})
const noFile = () => undefined

function load(
  flags: Record<string, unknown>,
  env: Record<string, string> = {},
  readConfigFile: (path: string) => string | undefined = noFile,
) {
  return loadSettings({ flags, machine: machine(env), readConfigFile })
}
function ok(...args: Parameters<typeof load>) {
  const result = load(...args)
  assert.ok('ok' in result, JSON.stringify(result))
  return result.ok
}
function errors(...args: Parameters<typeof load>) {
  const result = load(...args)
  assert.ok('errors' in result)
  return result.errors
}

test('defaults stand on their own and follow the data directory', () => {
  const settings = ok({})
  assert.equal(settings.home, '/home/ada/.local/share/valkeep')
  assert.equal(settings.kekFile, '/home/ada/.local/share/valkeep/vault.key')
  assert.equal(settings.port, 7070)
  assert.equal(settings.capacityMb, 800)
  assert.equal(settings.config, null)
  assert.match(settings.runtimeDir, /^\/tmp\/valkeep-1000\/[0-9a-f]{8}$/)
  assert.notEqual(ok({ home: '/srv/other' }).runtimeDir, settings.runtimeDir)
  assert.equal(ok({}, { XDG_DATA_HOME: '/data' }).home, '/data/valkeep')
  assert.equal(
    ok({}, { XDG_DATA_HOME: 'relative' }).home,
    '/home/ada/.local/share/valkeep',
    'XDG says: ignore relative paths',
  )
})

test('a flag wins over the environment, that over the file, that over the default', () => {
  const file = () => 'port: 7001\nattempts: 7\nconcurrency: 2\n'
  const settings = ok({ port: '7003' }, { VALKEEP_PORT: '7002', VALKEEP_ATTEMPTS: '5' }, file)
  assert.equal(settings.port, 7003)
  assert.equal(settings.attempts, 5)
  assert.equal(settings.concurrency, 2)
  assert.equal(settings.config, '/home/ada/.local/share/valkeep/config.yaml')
})

test('paths are taken from where they are written', () => {
  assert.equal(ok({ home: 'here' }).home, '/srv/here')
  assert.equal(ok({ home: '~/there' }).home, '/home/ada/there')
  const settings = ok({ config: '/etc/valkeep/config.yaml' }, {}, () => 'kek_file: keys/vault.key\nlog_file: stderr\n')
  assert.equal(settings.kekFile, '/etc/valkeep/keys/vault.key')
  assert.equal(settings.logFile, 'stderr')
})

test('an empty variable counts as not given', () => {
  assert.equal(ok({}, { VALKEEP_PORT: '', VALKEEP_HOME: '' }).port, 7070)
})

test('every error at once, each with its source and what to do', () => {
  const found = errors(
    { port: 'many', host: '10.1.1.1' },
    { VALKEEP_ATTEMPTS: '0', VALKEEP_FIRST: 'maybe' },
    () => 'concurency: 4\nlog_level: loud\nport_min: 3.5\n',
  )
  assert.deepEqual(found.map((e) => [e.setting, e.source]).sort(), [
    ['attempts', 'VALKEEP_ATTEMPTS'],
    ['concurency', '/home/ada/.local/share/valkeep/config.yaml'],
    ['first', 'VALKEEP_FIRST'],
    ['host', 'all settings together'],
    ['log_level', 'log_level in /home/ada/.local/share/valkeep/config.yaml'],
    ['port', '--port'],
    ['port_min', 'port_min in /home/ada/.local/share/valkeep/config.yaml'],
  ])
  for (const error of found) assert.ok(error.message && error.fix, JSON.stringify(error))
  assert.equal(found.find((e) => e.setting === 'concurency')?.fix, 'did you mean concurrency?')
})

test('a config file that is named must be there and be a map', () => {
  assert.match(errors({ config: '/no' })[0]?.message ?? '', /does not exist/)
  assert.match(errors({ config: '/f' }, {}, () => '- a\n')[0]?.message ?? '', /not a map/)
  assert.match(errors({ config: '/f' }, {}, () => 'a: [')[0]?.message ?? '', /not YAML/)
  assert.match(errors({ config: '/f' }, {}, () => '__proto__: 1\n')[0]?.message ?? '', /not a setting/)
  assert.match(errors({ config: '/f' }, {}, () => 'port: 1\nport: 2\n')[0]?.message ?? '', /not YAML/)
  const denied = () => {
    throw new Error('EACCES')
  }
  assert.match(errors({}, {}, denied)[0]?.message ?? '', /EACCES/)
  assert.equal(ok({ config: '/f' }, {}, () => '').port, 7070)
})

test('the API is not opened to the network without TLS', () => {
  assert.match(errors({ host: '0.0.0.0' })[0]?.fix ?? '', /tls_cert_file/)
  assert.match(errors({ host: '10.0.0.1', tlsCertFile: '/c' })[0]?.message ?? '', /needs its key/)
  assert.equal(ok({ host: '0.0.0.0', tlsCertFile: '/c', tlsKeyFile: '/k' }).host, '0.0.0.0')
  for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost']) assert.equal(ok({ host }).host, host)
  assert.match(errors({ host: 'example.org' })[0]?.message ?? '', /must be an IP address/)
})

test('instances advertise an address that clients can reach', () => {
  for (const nodeAddress of ['0.0.0.0', '::', 'host']) assert.equal(errors({ nodeAddress }).length, 1)
  for (const nodeAddress of ['10.0.0.7', '::1']) assert.equal(ok({ nodeAddress }).nodeAddress, nodeAddress)
})

test('ports that contradict each other are refused', () => {
  assert.match(errors({ portMin: '9000', portMax: '8000' })[0]?.message ?? '', /above port_max/)
  assert.match(errors({ port: '21005' })[0]?.message ?? '', /within the instances' ports/)
})

test('the runtime directory leaves room for a socket name', () => {
  assert.match(errors({ runtimeDir: `/${'x'.repeat(65)}` })[0]?.message ?? '', /65 bytes/)
})

test('names in the table are unique and speak of one thing', () => {
  const all = Object.entries(settingTable)
  for (const part of ['flag', 'env'] as const) assert.equal(new Set(all.map(([, s]) => s[part])).size, all.length)
  for (const [name, setting] of all) {
    const kebab = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
    assert.equal(setting.flag, kebab)
    if (setting.key !== null) assert.equal(setting.key, kebab.replaceAll('-', '_'))
    if (name !== 'valkeyServer') assert.equal(setting.env, `VALKEEP_${kebab.replaceAll('-', '_').toUpperCase()}`)
  }
})
