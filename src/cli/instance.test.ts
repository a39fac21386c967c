import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError, exitCodes } from './exit-code.ts'
import { parseAssignment } from './instance.ts'
import { fillUri } from './instance-access.ts'
import { valkeyCliArgs } from './instance-connect.ts'
import { settingRows, withSettingHints } from './instance-settings.ts'
import { tally } from './status.ts'

test('settings are read as JSON where they are JSON', () => {
  assert.deepEqual(parseAssignment('maxclients=100'), ['maxclients', 100])
  assert.deepEqual(parseAssignment('appendfsync=always'), ['appendfsync', 'always'])
  assert.deepEqual(parseAssignment('lazyfree_lazy_user_del=false'), ['lazyfree_lazy_user_del', false])
  assert.deepEqual(parseAssignment('save=[]'), ['save', []])
  assert.deepEqual(parseAssignment('notify_keyspace_events='), ['notify_keyspace_events', ''])
  assert.deepEqual(parseAssignment('a=b=c'), ['a', 'b=c'])
  for (const text of ['appendfsync', '=always', '']) assert.throws(() => parseAssignment(text), SyntaxError)
})

test('a URL is filled with encoded parts, and what is unknown stays a placeholder', () => {
  const template = 'rediss://{username}:{password}@127.0.0.1:21000/0'
  assert.equal(fillUri(template, undefined, undefined), template)
  assert.equal(fillUri(template, 'app', undefined), 'rediss://app:{password}@127.0.0.1:21000/0')
  const url = fillUri(template, 'app', "p@ss:/w$&$'{username}")
  assert.equal(url, "rediss://app:p%40ss%3A%2Fw%24%26%24'%7Busername%7D@127.0.0.1:21000/0")
  assert.equal(decodeURIComponent(new URL(url).password), "p@ss:/w$&$'{username}")
})

test('valkey-cli gets a server name only where it is a name', () => {
  const connection = { host: '127.0.0.1', port: 21000, server_name: 'ins.valkeep' }
  assert.deepEqual(valkeyCliArgs(connection, 'u', '/d/ca.pem'), [
    '-h',
    '127.0.0.1',
    '-p',
    '21000',
    '--tls',
    '--cacert',
    '/d/ca.pem',
    '--sni',
    'ins.valkeep',
    '--user',
    'u',
  ])
  assert.ok(!valkeyCliArgs({ ...connection, server_name: '127.0.0.1' }, 'u', '/c').includes('--sni'))
})

test('a tally counts', () => {
  assert.deepEqual(tally(['a', 'b', 'b']), { b: 2, a: 1 })
  assert.deepEqual(tally([]), {})
})

test('settings are listed, all or by a word, and an unknown one gets what was meant', () => {
  assert.match(settingRows([]).text, /^appendfsync +everysec, always +"everysec" +live +When writes/m)
  assert.match(settingRows([]).text, /^io_threads +1 to 16 +1 +restart /m)
  assert.deepEqual(
    settingRows(['maxmemory-policy']).items.map((row) => row.name),
    ['maxmemory_policy'],
  )
  const error = new CliError(exitCodes.failed, 'no', { next: 'before', status: 422 })
  assert.match(String(withSettingHints(error, ['maxmemory-policy']).next), /^Did you mean maxmemory_policy\? /)
  assert.equal(withSettingHints(error, ['xyzzyxyzzy']).next, 'All of them: valkeep instance settings')
  assert.equal(withSettingHints(error, ['hz']), error)
})
