import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CEILING_RULES, FORBIDDEN, forbiddenReason } from './ceiling.ts'
import { permittedCommands } from './evaluate.ts'
import { isReservedUsername, platformUsers, tenantAclUser, usernameSchema } from './tenant-user.ts'

const DIGEST = 'a'.repeat(64)
const tenant = (...privileges: string[]) =>
  tenantAclUser({ username: 'app', passwordSha256s: [DIGEST], privileges, keyPattern: '~app:*', channelPattern: null })

test('a tenant’s user: nothing, its rules, the ceiling, the safe part back', () => {
  const user = tenant('+@all', '-set')
  assert.deepEqual(user.commands.slice(0, 3), ['-@all', '+@all', '-set'])
  assert.deepEqual(user.commands.slice(3, 3 + CEILING_RULES.length), CEILING_RULES)
  const granted = user.commands.slice(3 + CEILING_RULES.length)
  assert.ok(granted.every((rule) => rule.startsWith('+') && !FORBIDDEN.has(rule.slice(1))))
  assert.ok(
    ['+info', '+sort', '+acl|whoami', '+client|setname', '+cluster|slots'].every((rule) => granted.includes(rule)),
  )
  assert.deepEqual([user.keys, user.channels, user.on, user.nopass], [['~app:*'], [], true, false])
})

test('granted back is only what the rules gave, and the connect set', () => {
  const permitted = permittedCommands(tenant('+@read').commands)
  assert.ok(
    permitted.has('sort_ro') && permitted.has('info') && permitted.has('ping') && permitted.has('client|setinfo'),
  )
  const withheld = ['sort', 'acl|whoami', 'client|tracking', 'cluster|slots', 'keys']
  assert.deepEqual(
    withheld.filter((name) => permitted.has(name)),
    [],
  )
})

test('of the connect set only what a rule takes away by name is withheld', () => {
  assert.ok(permittedCommands(tenant('+get', '-@dangerous', '-@connection').commands).has('info'))
  assert.ok(!permittedCommands(tenant('+@all', '-info').commands).has('info'))
  assert.ok(!permittedCommands(tenant('+get', '-client').commands).has('client|setname'))
  assert.ok(permittedCommands(tenant('+get', '-client', '+client|setname').commands).has('client|setname'))
})

test('unchecked privileges never become a user', () => {
  for (const rule of ['+flushall', '~*', 'nopass', '+@admin']) assert.throws(() => tenant(rule), /unchecked privileges/)
  assert.throws(() => tenant(), /unchecked privileges/)
})

test('the platform’s users', () => {
  const users = platformUsers({ adminSha256: DIGEST, replicationSha256: DIGEST, monitorSha256: DIGEST })
  assert.deepEqual(
    users.map(({ name, on, keys }) => [name, on, keys.length]),
    [
      ['default', false, 0],
      ['valkeep-admin', true, 1],
      ['valkeep-replication', true, 0],
      ['valkeep-monitor', true, 0],
    ],
  )
  assert.deepEqual(users[0]?.commands, ['-@all'])
  assert.ok(users.every(({ name, nopass }) => isReservedUsername(name) && !nopass))
})

test('usernames', () => {
  for (const name of ['a', 'myapp', 'readonly_user', 'a-1', 'valkeepx', `a${'b'.repeat(62)}`]) {
    assert.equal(usernameSchema.safeParse(name).success, true, name)
  }
  const refused = [
    '',
    'default',
    'valkeep-',
    'valkeep-admin',
    'valkeep-x',
    'A',
    '1a',
    '-a',
    '_a',
    'a b',
    'a\n',
    'a\0',
    'a/b',
  ]
  for (const name of [...refused, 'é', 'a%', '$(x)', '..', `a${'b'.repeat(63)}`]) {
    const verdict = usernameSchema.safeParse(name)
    assert.equal(verdict.success, false, JSON.stringify(name))
    assert.match(verdict.error?.issues[0]?.message ?? '', /a username is|are the platform’s/)
  }
})

test('every forbidden command has its reason', () => {
  const general = [...FORBIDDEN].filter((name) => forbiddenReason(name).startsWith('it acts on the whole server,'))
  assert.deepEqual(general.sort(), ['lastsave', 'memory|purge', 'pfdebug', 'pfselftest'])
})
