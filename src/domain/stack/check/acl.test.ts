import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, bad, type Expected, names } from '../../../../test/support/stack-check.ts'
import { renderAclFile } from '../../acl/render.ts'
import { stackAcl } from '../acl.ts'
import { defaultSpec } from '../default-spec.ts'
import { stackPresetNames } from '../presets.ts'
import type { StackSpec } from '../spec.ts'
import { judgeAcl, type PasswordOnFile } from './acl.ts'
import { readAclText } from './acl-text.ts'
import { judgeLeaks } from './leaks.ts'

const spec = defaultSpec()
const digestOf = (name: string) => String(Object.keys(spec.users).indexOf(name) + 1).repeat(64)
const other = 'e'.repeat(64)
const text = (of: StackSpec = spec) => renderAclFile(stackAcl(of, (name) => [digestOf(name)]))
const env = 'deploy/secrets/credentials.env.example'
const onFile = (changes: Record<string, PasswordOnFile[]> = {}) =>
  new Map(
    Object.entries({
      ...Object.fromEntries(Object.keys(spec.users).map((name) => [name, [{ path: env, sha256: digestOf(name) }]])),
      ...changes,
    }),
  )

const judge = (acl: string | undefined, of: StackSpec = spec, passwords = onFile()) =>
  judgeAcl(of, { text: acl, passwords }, names)
const agent = (detail: RegExp, fix?: RegExp): Expected[] => [
  ['fail', 'user mcp-agent', detail, ...(fix ? [fix] : [])] as Expected,
]

test('both presets are well, and so is what the server would write of them', () => {
  for (const preset of stackPresetNames) {
    const of = defaultSpec({ preset })
    assert.deepEqual(bad(judge(text(of), of)), [], preset)
    const saved = text(of).replaceAll(' on #', ' on sanitize-payload #').split('\n').toReversed().join('\n')
    assert.deepEqual(bad(judge(saved, of)), [], `${preset} after ACL SAVE`)
  }
})

const edits: [what: string, edit: (acl: string) => string, expected: Expected[]][] = [
  [
    'no default',
    (acl) => acl.replace(/^user default.*\n/, ''),
    [['fail', 'user default', /open to everybody/, /^valkeep stack secrets$/]],
  ],
  ['default on', (acl) => acl.replace('default off', 'default on'), [['fail', 'user default', /default on/]]],
  ['a stray user', (acl) => `${acl}user guest on nopass -@all\n`, [['fail', 'user guest', /does not declare/]]],
  [
    'a stray user of a strange name',
    (acl) => `${acl}user <b> off -@all\n`,
    [['fail', 'users', /has a user that stack\.yaml does not declare/]],
  ],
  ['a user less', (acl) => acl.replace(/^user mcp-agent.*\n/m, ''), agent(/no line for mcp-agent/)],
  ['nopass', (acl) => acl.replace(`mcp-agent on #${digestOf('mcp-agent')}`, 'mcp-agent on nopass'), agent(/nopass/)],
  [
    'no password',
    (acl) => acl.replace(`mcp-agent on #${digestOf('mcp-agent')}`, 'mcp-agent on'),
    agent(/no password for mcp-agent/),
  ],
  ['off', (acl) => acl.replace('mcp-agent on', 'mcp-agent off'), agent(/has mcp-agent off/)],
  [
    'another password',
    (acl) => acl.replace(digestOf('mcp-agent'), other),
    agent(/the password of mcp-agent in deploy\S+credentials/, /--rotate mcp-agent$/),
  ],
  [
    'two passwords',
    (acl) => acl.replace(`#${digestOf('mcp-agent')}`, `#${digestOf('mcp-agent')} #${other}`),
    [['warn', 'user mcp-agent', /2 passwords of mcp-agent are valid/, /--drop-old mcp-agent --apply$/]],
  ],
  [
    'a right more',
    (acl) => acl.replace(/(user mcp-agent .*)/, '$1 +flushall'),
    agent(/rules more: \+flushall; so it may run FLUSHALL/, /stack secrets --apply$/),
  ],
  [
    'a right less',
    (acl) => acl.replace('+@write ', ''),
    agent(/rules less: \+@write; so it may not run APPEND, .* more$/),
  ],
  // RESTORE is @dangerous, and gone before.
  [
    'a rule less',
    (acl) => acl.replace('-restore ', ''),
    [['warn', 'user mcp-agent', /less: -restore; what it may run is the same$/]],
  ],
  ['a removal more', (acl) => acl.replace('-del ', ''), agent(/rules less: -del; so it may run DEL$/)],
  [
    'a key pattern more',
    (acl) => acl.replace('~molis:blocked:*', '~molis:*'),
    agent(/a key pattern more: ~molis:\*; a key pattern less: ~molis:blocked:\*$/),
  ],
  [
    'a channel more',
    (acl) => acl.replace('resetchannels -@all +@read', 'allchannels -@all +@read'),
    agent(/channel pattern more: &\*/),
  ],
  ['a selector', (acl) => acl.replace(/(user mcp-agent .*)/, '$1 (~x +get)'), agent(/selectors/)],
  [
    'no payload check',
    (acl) => acl.replace('user mcp-agent on', 'user mcp-agent on skip-sanitize-payload'),
    agent(/skip-sanitize-payload/),
  ],
  [
    'the same in other rules',
    (acl) => acl.replace('+zadd +zrangebyscore', '+zrangebyscore +zadd'),
    [['warn', 'user log-writer', /the same rules in another order; what it may run is the same/]],
  ],
  [
    'a first argument',
    (acl) => acl.replace(/(user log-writer .*)/, '$1 +get|hunter2'),
    [['fail', 'user log-writer', /rules more: \+get\|…$/]],
  ],
]

test('each thing that is wrong with a user is one finding', () => {
  for (const [what, edit, expected] of edits) {
    const edited = edit(text())
    assert.notEqual(edited, text(), what)
    assertFindings(judge(edited), expected, what)
  }
})

test('a line that cannot stand is named by its number, and no word of it is repeated', () => {
  const lines: [line: string, reason: RegExp][] = [
    ['# hunter2', /line 2 is a comment.*would not start/],
    ['\ufeffuser a on', /byte order mark/],
    ['USER hunter2 on', /does not begin with "user NAME"/],
    ['user\thunter2 on', /does not begin with "user NAME"/],
    ['user  hunter2 on', /more than one space/],
    ['user default off', /a second time/],
    ['user a on hunter2', /no meaning.*would not start/],
    ['user a on #HUNTER2', /64 hexadecimal digits/],
    [`user a on #${'AB'.repeat(32)}`, /lower case/],
    ['user a on +hunter2', /a command that is none/],
    ['user a on +@hunter2', /a category that is none/],
    ['user a on -client|hunter2', /a command that is none/],
    ['user a on ~* ~hunter2', /a key pattern after ~\*/],
    ['user a on allchannels &hunter2', /a channel pattern after &\*/],
    ['user a on (~hunter2', /not closed/],
    ['user a reset on', /says reset/],
    ['user a on >hunter2', /plain text/],
  ]
  for (const [line, reason] of lines) {
    const findings = bad(judge(text().replace('\n', `\n${line}\n`)))
    assertFindings(findings, [['fail', 'users', reason]], line)
    assert.doesNotMatch(JSON.stringify(findings), /hunter2/i)
  }
})

test('what the server takes is read: CRLF, blank lines, space around a line, no line break at the end', () => {
  const loose = `\r\n  ${text().trimEnd().replaceAll('\n', '  \r\n\t\r\n ')}`
  assert.deepEqual(bad(judge(loose)), [])
})

test('a plain password: known to its reader, so a new one', () => {
  const plain = text().replace(`#${digestOf('mcp-agent')}`, '>hunter2')
  assertFindings(
    judge(plain),
    [['fail', 'users', /plain text, where only its digest belongs$/, /secrets --rotate mcp-agent$/]],
    'declared',
  )
})

test('passwords on file: an empty one, one of two that is old, none at all', () => {
  const path = 'deploy/secrets/valkey_password.txt'
  const empty = onFile({ healthcheck: [{ path, sha256: null }] })
  assertFindings(
    judge(text(), spec, empty),
    [['fail', 'user healthcheck', /valkey_password\.txt has no password in it/]],
    'empty',
  )
  const old = onFile({
    healthcheck: [
      { path: env, sha256: digestOf('healthcheck') },
      { path, sha256: other },
    ],
  })
  assertFindings(
    judge(text(), spec, old),
    [['fail', 'user healthcheck', /in deploy\/secrets\/valkey_password\.txt/]],
    'old',
  )
  const none = new Map<string, PasswordOnFile[]>()
  assert.deepEqual(bad(judge(text(), spec, none)), [])
  const two = text().replace(`#${digestOf('mcp-agent')}`, `#${digestOf('mcp-agent')} #${other}`)
  assertFindings(
    judge(two, spec, none),
    [['warn', 'user mcp-agent', /2 passwords/, /--rotate mcp-agent --apply$/]],
    'none on file',
  )
})

test('stack.yaml itself: a user that reaches beyond its keys, a health user that can do nothing', () => {
  const { 'mcp-agent': agentUser, healthcheck } = spec.users
  assert.ok(agentUser && healthcheck)
  const wide = { ...spec, users: { ...spec.users, 'mcp-agent': { ...agentUser, commands: ['+@all'] } } }
  const [finding] = bad(judge(text(wide), wide))
  assert.deepEqual([finding?.status, finding?.check], ['warn', 'user mcp-agent'])
  assert.match(finding?.detail ?? '', /lets mcp-agent run .* and \d+ more, which reach/)
  const mute = { ...spec, users: { ...spec.users, healthcheck: { ...healthcheck, commands: ['+hello'] } } }
  assertFindings(judge(text(mute), mute), [['fail', 'user healthcheck', /may not run PING and INFO/]], 'mute')
  assertFindings(judge(undefined, mute), [['fail', 'user healthcheck', /may not run PING/]], 'no file')
})

test('an empty file is an open server', () => {
  assert.deepEqual(readAclText('\n'), { users: [] })
  assert.ok(bad(judge('')).some(({ check, status }) => check === 'user default' && status === 'fail'))
})

test('a password in a file that others may read is found by its digest', () => {
  const facts = { text: text(), passwords: onFile({ healthcheck: [{ path: env, sha256: other }] }) }
  const open = (sha256: string) => [{ path: 'deploy/docker-compose.yml', words: [{ sha256, line: 7 }] }]
  assertFindings(judgeLeaks(spec, facts, open('f'.repeat(64)), names), [], 'a stranger')
  for (const sha256 of [other, digestOf('healthcheck')])
    assertFindings(
      judgeLeaks(spec, facts, open(sha256), names),
      [
        [
          'fail',
          'passwords',
          /^line 7 of deploy\/docker-compose\.yml holds the password of healthcheck$/,
          /--rotate healthcheck --apply$/,
        ],
      ],
      sha256,
    )
})
