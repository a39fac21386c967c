import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ruleFitsEngine, type StackSpec, stackSpecSchema } from './spec.ts'
import { stackAcl } from './acl.ts'
import { fittingIoThreads, ioThreads, stackConf, tooManyIoThreads } from './conf.ts'
import { defaultSpec } from './default-spec.ts'
import { stackPresetNames } from './presets.ts'

const errorsOf = (change: (spec: StackSpec) => unknown): string[] => {
  const result = stackSpecSchema.safeParse(change(structuredClone(defaultSpec())))
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

test('what init can begin with fits the schema', () => {
  for (const preset of stackPresetNames)
    for (const perUserFiles of [true, false])
      assert.ok(
        stackSpecSchema.safeParse(defaultSpec({ preset, perUserFiles, prefix: 'acme', user: '1000:1000' })).success,
      )
})

const users = (spec: StackSpec, change: object, name = 'mcp-agent') => ({
  ...spec,
  users: { ...spec.users, [name]: { ...spec.users[name], ...change } },
})

for (const [what, change, expected] of [
  ['an unknown command', (s: StackSpec) => users(s, { commands: ['+gett'] }), /no command gett; did you mean get\?/],
  [
    'an unknown category',
    (s: StackSpec) => users(s, { commands: ['+@reed'] }),
    /no category @reed; did you mean @read\?/,
  ],
  ['a rule with a space', (s: StackSpec) => users(s, { commands: ['+get on nopass'] }), /commands\.0: must be a rule/],
  ['a password as a rule', (s: StackSpec) => users(s, { commands: ['>secret'] }), /must be a rule/],
  [
    'a key pattern that would be another word',
    (s: StackSpec) => users(s, { keys: ['~a nopass'] }),
    /keys\.0: must be a pattern/,
  ],
  ['a lone %', (s: StackSpec) => users(s, { keys: ['%'] }), /must be a pattern/],
  ['default declared', (s: StackSpec) => users(s, s.users['healthcheck'] ?? {}, 'default'), /default is always off/],
  ['two users of one variable', (s: StackSpec) => users(s, { env: 'VALKEY_MCP_ADMIN_PASS' }), /another user's already/],
  [
    'a password file that is the ACL',
    (s: StackSpec) => users(s, { password_file: 'valkey_users.acl' }),
    /another file's name/,
  ],
  ['a password file outside', (s: StackSpec) => users(s, { password_file: '../x' }), /must be a file name/],
  ['a health user who is none', (s: StackSpec) => ({ ...s, health_user: 'nobody' }), /there is no user nobody/],
  ['a health user of Object', (s: StackSpec) => ({ ...s, health_user: 'constructor' }), /there is no user constructor/],
  [
    'a health user without a file',
    (s: StackSpec) => ({ ...s, health_user: 'mcp-agent' }),
    /reads its password from a file/,
  ],
  [
    'more memory than the container has',
    (s: StackSpec) => ({ ...s, server: { ...s.server, maxmemory_mb: 512 } }),
    /below service\.memory_mb/,
  ],
  [
    'a certificate without the name',
    (s: StackSpec) => ({ ...s, certificates: { ...s.certificates, names: ['x'] } }),
    /must hold valkey/,
  ],
  [
    'an image that is an option',
    (s: StackSpec) => ({ ...s, service: { ...s.service, image: '--x' } }),
    /must be an image/,
  ],
  ['a path with a colon', (s: StackSpec) => ({ ...s, files: { ...s.files, certs: 'a:b' } }), /must be a path/],
  ['a prefix with a star', (s: StackSpec) => ({ ...s, prefix: '*' }), /prefix: must be letters/],
  ['an unknown field', (s: StackSpec) => ({ ...s, password: 'x' }), /Unrecognized key/],
  ['an engine that is none', (s: StackSpec) => ({ ...s, engine: '7.2' }), /engine version of 8\.0 or newer/],
  [
    'a name that is an address',
    (s: StackSpec) => ({ ...s, certificates: { ...s.certificates, names: ['valkey', '1.2.3.4'] } }),
    /names\.1: must be a DNS name/,
  ],
  [
    'a country in full',
    (s: StackSpec) => ({ ...s, certificates: { ...s.certificates, ca: '/C=Germany' } }),
    /must be a subject/,
  ],
] as const)
  test(`${what} is refused with its reason`, () => {
    const errors = errorsOf(change)
    assert.ok(
      errors.some((error) => expected.test(error)),
      errors.join('\n'),
    )
  })

test('a rule for a newer command is written for an engine that has it, and for no other', () => {
  assert.equal(ruleFitsEngine('-delifeq', '8.0'), false)
  assert.equal(ruleFitsEngine('-delifeq', '9.0'), true)
  const rules = (engine: string) => stackAcl({ ...defaultSpec(), engine }, () => [])[1]?.commands
  assert.equal(rules('8.1')?.includes('-delifeq'), false)
  assert.equal(rules('9.0')?.includes('-delifeq'), true)
})

test('every user begins from nothing and default is off', () => {
  const [first, ...others] = stackAcl(defaultSpec({ prefix: 'acme' }), () => ['a'.repeat(64)])
  assert.deepEqual([first?.name, first?.on, first?.commands], ['default', false, ['-@all']])
  for (const user of others) assert.equal(user.commands[0], '-@all')
  assert.deepEqual(others[0]?.keys, ['~acme:blocked:*', '~acme:approved:*', '~acme:config:*'])
})

test('I/O threads fit the CPU limit', () => {
  assert.deepEqual([0.5, 1, 2, 3.9, 4, 8, 64].map(fittingIoThreads), [1, 1, 1, 1, 3, 6, 8])
  for (const cpus of [0.5, 1, 2, 4, 8, 64]) assert.equal(tooManyIoThreads(fittingIoThreads(cpus), cpus), false)
  assert.equal(tooManyIoThreads(4, 1), true)
  const spec = defaultSpec()
  const four: StackSpec = { ...spec, server: { ...spec.server, io_threads: 4 } }
  assert.equal(ioThreads(four), 4)
  const directive = (of: StackSpec, name: string) => stackConf(of).find((each) => each.name === name)?.args
  assert.deepEqual(directive(four, 'io-threads-do-reads'), ['yes'])
  assert.equal(directive(spec, 'io-threads-do-reads'), undefined)
})
