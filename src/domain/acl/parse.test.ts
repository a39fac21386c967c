import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalCommands, canonicalKeys } from './canonical.ts'
import { AclTextError, parseAclFile, parseAclLine } from './parse.ts'
import { sameAclUser } from './same.ts'

const DIGEST = 'b'.repeat(64)

test('reads what 8.x and 9.1 write', () => {
  const eight = parseAclLine(`user app on sanitize-payload #${DIGEST} ~app:* resetchannels &news:* -@all +@read -get`)
  const nine = parseAclLine(`user app on #${DIGEST} ~app:* resetchannels &news:* alldbs -@all +@read -get`)
  assert.deepEqual(eight, {
    name: 'app',
    on: true,
    nopass: false,
    passwords: [DIGEST],
    commands: ['-@all', '+@read', '-get'],
    keys: ['~app:*'],
    channels: ['&news:*'],
    selectors: [],
  })
  assert.ok(sameAclUser(eight, nine))
})

test('what the platform never writes is kept as a difference', () => {
  const plain = parseAclLine('user u on nopass ~* &* +@all')
  assert.equal(plain.nopass, true)
  for (const word of ['skip-sanitize-payload', 'db=0,3', 'resetdbs']) {
    const odd = parseAclLine(`user u on nopass ${word} ~* &* +@all`)
    assert.deepEqual(odd.others, [word])
    assert.equal(sameAclUser(plain, odd), false)
  }
  const selecting = parseAclLine('user u on nopass ~* &* +@all (~x resetchannels -@all +get) (-@all)')
  assert.deepEqual(selecting.selectors, ['(~x resetchannels -@all +get)', '(-@all)'])
  assert.equal(sameAclUser(plain, selecting), false)
})

test('words are applied in order, as SETUSER applies them', () => {
  const user = parseAclLine(
    `user u on off nopass #${DIGEST} allkeys resetkeys ~a allchannels resetchannels +get +@all -set`,
  )
  assert.deepEqual([user.on, user.nopass, user.keys, user.channels], [false, false, ['~a'], []])
  assert.deepEqual(user.commands, ['+@all', '-set'])
  assert.deepEqual(parseAclLine(`user u #${DIGEST} !${DIGEST}`).passwords, [])
})

test('anything else is an error that repeats no word', () => {
  const lines = [
    '',
    'user',
    'usr x on',
    'user u >plainsecret',
    'user u plainsecret',
    'user u #plainsecret',
    'user u (+get ~x',
  ]
  for (const line of [...lines, 'user u %', 'user u %X~a', '# plainsecret', 'user u <plainsecret']) {
    const isQuiet = (error: unknown) => error instanceof AclTextError && !error.message.includes('plainsecret')
    assert.throws(() => parseAclLine(line), isQuiet, line)
  }
  assert.throws(() => parseAclFile('user a on\nuser a off\n'), /twice/)
  assert.deepEqual(
    parseAclFile('\nuser a off\r\n\n  user b on \n').map(({ name }) => name),
    ['a', 'b'],
  )
})

test('command rules are kept as valkey keeps them', () => {
  const cases: [string, string][] = [
    ['+ping -@all', '-@all'],
    ['+get +set +@read +@write -@write', '-@all +get +set +@read -@write'],
    ['+client|setname +client|kill -client', '-@all -client'],
    ['-client +client|kill +CLIENT|KILL', '-@all -client +client|kill'],
    ['allcommands -get +get', '+@all +get'],
    ['+clientx +client', '-@all +clientx +client'],
  ]
  for (const [rules, kept] of cases) assert.equal(canonicalCommands(rules.split(' ')).join(' '), kept)
})

test('key patterns are compared as sets of permissions', () => {
  assert.deepEqual(canonicalKeys(['%W~a', '~b', '%R~a']), ['~a', '~b'])
  assert.deepEqual(canonicalKeys(['~a', 'allkeys']), ['~*'])
  assert.deepEqual(canonicalKeys(['%R~*', '~a']), ['%R~*', '~a'])
  assert.deepEqual(canonicalKeys(['%rw~a']), ['~a'])
})

test('order of patterns and passwords does not matter, order of commands does', () => {
  const other = 'c'.repeat(64)
  const a = parseAclLine(`user u on #${DIGEST} #${other} ~a ~b &x &y -@all +@read -get`)
  const b = parseAclLine(`user u on #${other} #${DIGEST} ~b ~a &y &x -@all +@read -get`)
  assert.ok(sameAclUser(a, b))
  assert.equal(sameAclUser(a, { ...a, commands: ['-@all', '-get', '+@read'] }), false)
  assert.equal(sameAclUser(a, { ...a, name: 'v' }), false)
  assert.equal(sameAclUser(a, { ...a, passwords: [DIGEST] }), false)
})
