import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMANDS } from './command-table.ts'
import { explainUser, probesFor, type Verdict } from './explain.ts'
import { globMatches, sampleInside, sampleOutside } from './glob.ts'
import { sampleWords } from './probe.ts'
import { tenantAclUser } from './tenant-user.ts'

const user = tenantAclUser({
  username: 'app',
  passwordSha256s: ['a'.repeat(64)],
  privileges: ['+@all'],
  keyPattern: '~app:*',
  channelPattern: null,
})

test('sample arguments from arity and key specs', () => {
  const samples: Record<string, string> = {
    get: 'get K',
    mset: 'mset K 1',
    blpop: 'blpop K 1',
    eval: 'eval 1 1 K',
    zunionstore: 'zunionstore K 1 K',
    bitop: 'bitop 1 K K',
    xread: 'xread STREAMS K 1',
    xreadgroup: 'xreadgroup 1 1 1 STREAMS K 1',
    publish: 'publish C 1',
    spublish: 'spublish C 1',
    'object|freq': 'object freq K',
    'client|setname': 'client setname 1',
    ping: 'ping',
  }
  for (const [name, words] of Object.entries(samples)) {
    const command = COMMANDS.get(name)
    assert.ok(command !== undefined, name)
    assert.equal(sampleWords(command, 'K', 'C').join(' '), words)
  }
})

test('samples lie inside and outside the pattern, and newer commands are not asked of an older engine', () => {
  const probes = probesFor(user, '8.0.1')
  const get = probes.filter(({ command }) => command === 'get')
  assert.deepEqual(
    get.map(({ where }) => where),
    ['inside', 'outside'],
  )
  assert.ok(globMatches('app:*', get[0]?.words[1] ?? ''))
  assert.ok(!globMatches('app:*', get[1]?.words[1] ?? 'app:'))
  assert.ok(!probes.some(({ command }) => command === 'delifeq'))
  assert.ok(probesFor(user, '9.0.0').some(({ command }) => command === 'delifeq'))
})

test('answers fold: reasons, families, leaks, what could not be tried', () => {
  const verdicts: Verdict[] = probesFor(user, '8.0.1').map((probe) => ({ probe, reply: 'OK' }))
  const set = (command: string, where: string, reply: string): void => {
    for (const verdict of verdicts)
      if (verdict.probe.command === command && verdict.probe.where === where) verdict.reply = reply
  }
  for (const { probe } of verdicts) if (probe.command !== 'del') set(probe.command, 'outside', "… access the 'x' key")
  set('get', 'inside', "User app has no permissions to run the 'get' command")
  set('set', 'inside', "User app has no permissions to access the 'app:' key")
  set('flushall', 'inside', "User app has no permissions to run the 'flushall' command")
  set('hget', 'inside', 'ERR something else')
  const explained = explainUser(user, verdicts)
  assert.deepEqual(
    explained.denied.map(({ command }) => command),
    ['FLUSHALL', 'GET', 'HGET', 'SET'],
  )
  assert.deepEqual(
    explained.denied.map(({ reason }) => reason.split(' ').slice(0, 3).join(' ')),
    ['never a tenant’s:', 'the user’s privileges', 'the server did', 'the user’s key'],
  )
  assert.equal(explained.connect, true)
  const hash = explained.families.find(({ family }) => family === 'hash')
  assert.ok(hash !== undefined && hash.allowed === hash.total - 1)
  assert.ok(explained.notes.includes('Permitted outside the key or channel pattern: DEL.'))
  assert.equal(explainUser({ ...user, passwords: [] }, verdicts).connect, false)
})

test('globs as valkey matches them', () => {
  const yes = [
    ['*', 'x'],
    ['a*c', 'abbc'],
    ['h?llo', 'hello'],
    ['[a-c]x', 'bx'],
    ['[^a]x', 'bx'],
    ['\\*', '*'],
    ['[z-a]', 'm'],
    ['[ab', 'b'],
  ]
  const no = [
    ['a*c', 'ab'],
    ['h?llo', 'hllo'],
    ['[^a]x', 'ax'],
    ['\\*', 'a'],
    ['[]', 'a'],
    ['', 'a'],
    ['**', ''],
  ]
  for (const [glob = '', text = ''] of yes) assert.ok(globMatches(glob, text), `${glob} ${text}`)
  for (const [glob = '', text = ''] of no) assert.ok(!globMatches(glob, text), `${glob} ${text}`)
  const stars = '*a'.repeat(100)
  assert.equal(globMatches(`${stars}b`, 'a'.repeat(5_000)), false)
  assert.equal(sampleInside('app:[0-9]?\\*'), 'app:0a*')
  assert.equal(sampleInside('[]'), undefined)
  assert.equal(sampleOutside(['*']), '')
  assert.equal(sampleOutside(['valkeep*', 'probe']), '0')
})
