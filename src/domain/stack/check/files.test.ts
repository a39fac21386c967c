import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, type Expected, names } from '../../../../test/support/stack-check.ts'
import { defaultSpec } from '../default-spec.ts'
import type { PathFacts } from './facts.ts'
import { judgeFiles, stackFiles } from './files.ts'
import { swappablePaths } from './swappable.ts'

const spec = defaultSpec({ perUserFiles: true })
const modes = { secret: 0o600, plain: 0o644, program: 0o755 }

/** As root's init leaves them: what the container reads is its user's. */
function rightFacts(): Map<string, PathFacts> {
  const facts = new Map<string, PathFacts>()
  for (const { path, kind, reader } of stackFiles(spec)) {
    const [uid, gid] = reader === 'nobody' || kind === 'program' ? [0, 0] : [999, 1000]
    facts.set(path, { kind: 'file', uid, gid, mode: modes[kind], readable: true })
  }
  for (const path of swappablePaths(spec))
    if (!facts.has(path))
      facts.set(path, {
        kind: path.includes('.yaml') ? 'file' : 'directory',
        uid: 0,
        gid: 0,
        mode: 0o755,
        readable: true,
      })
  return facts.set(spec.files.secrets, { kind: 'directory', uid: 0, gid: 0, mode: 0o700, readable: true })
}

const acl = 'deploy/secrets/valkey_users.acl'
const cases: [path: string, change: Partial<PathFacts>, expected: Expected[]][] = [
  [
    'certs/valkey/server.crt',
    { kind: 'missing' },
    [['fail', 'files', /server\.crt is missing/, /^valkeep stack certs$/]],
  ],
  ['certs/valkey/ca.key', { kind: 'missing' }, []],
  ['deploy/secrets/credentials.env.example', { kind: 'missing' }, []],
  [
    'deploy/secrets/mcp-agent.txt',
    { kind: 'missing' },
    [['warn', 'files', /is mcp-agent finds no password/, /stack secrets$/]],
  ],
  [acl, { kind: 'missing' }, [['fail', 'files', /docker would not start/, /^valkeep stack secrets$/]]],
  ['config/valkey.conf', { kind: 'missing' }, [['fail', 'files', /valkey\.conf is missing/, /^valkeep stack conf$/]]],
  ['config/valkey.conf', { kind: 'other' }, [['fail', 'files', /no regular file/]]],
  [
    'deploy/docker-compose.yml',
    { kind: 'missing' },
    [['fail', 'files', /nothing to start/, /^valkeep stack compose$/]],
  ],
  ['scripts/valkey-health.sh', { kind: 'missing' }, [['fail', 'files', /valkey-health\.sh/, /^valkeep stack init$/]]],
  ['scripts/generate-valkey-certs.sh', { kind: 'missing' }, [['warn', 'files', /without Node/]]],
  [
    'certs/valkey/client.crt',
    { kind: 'directory' },
    [['fail', 'files', /is a directory/, /^rmdir certs\/valkey\/client\.crt && valkeep stack certs$/]],
  ],
  [acl, { mode: 0o640 }, [['fail', 'permissions', /\(0640\) is open to others/, /^chmod 600 deploy/]]],
  [acl, { mode: 0o400 }, []],
  ['certs/valkey/ca.key', { mode: 0o644 }, [['fail', 'permissions', /ca\.key \(0644\) is open to others/]]],
  ['config/valkey.conf', { mode: 0o664 }, []],
  ['config/valkey.conf', { mode: 0o666 }, [['fail', 'permissions', /everybody may write/, /^chmod 644 /]]],
  ['deploy/secrets', { mode: 0o755 }, [['fail', 'permissions', /secrets \(0755\) is open/, /^chmod 700 /]]],
  [
    'stack.yaml',
    { mode: 0o664 },
    [
      [
        'fail',
        'permissions',
        /its group may write stack\.yaml \(0664\): anybody of it could swap the file$/,
        /^chmod go-w stack\.yaml$/,
      ],
    ],
  ],
  [
    'deploy/docker-compose.yml',
    { mode: 0o666 },
    [['fail', 'permissions', /everybody may write .*compose\.yml \(0666\): anybody could swap/, /^chmod go-w /]],
  ],
  ['.', { mode: 0o777 }, [['fail', 'permissions', /everybody may write \. \(0777\): anybody could swap the files$/]]],
  ...['deploy', 'config', 'certs', 'certs/valkey', 'scripts'].map((path): [string, Partial<PathFacts>, Expected[]] => [
    path,
    { mode: 0o775 },
    [['fail', 'permissions', /its group may write/, new RegExp(`^chmod go-w ${path}$`)]],
  ]),
  ['scripts/generate-valkey-certs.sh', { mode: 0o644 }, [['warn', 'permissions', /cannot be run/, /^chmod 755 /]]],
  [
    acl,
    { uid: 0, gid: 0 },
    [
      [
        'fail',
        'owners',
        /user 999:1000 .* cannot read .*\(owner 0:0, 0600\): the server would end/,
        /^As root: chown 999:1000 deploy\S+ && chmod 600 /,
      ],
    ],
  ],
  [acl, { mode: 0o000 }, [['fail', 'owners', /cannot read/, /^chmod 600 /]]],
  ['certs/valkey/client.key', { uid: 1, gid: 1 }, [['fail', 'owners', /the health check would fail/]]],
  ['certs/valkey/server.crt', { uid: 0, gid: 0, mode: 0o600 }, [['fail', 'owners', /cannot read/, /^chmod 644 /]]],
  ['certs/valkey/server.crt', { uid: 0, gid: 1000, mode: 0o640 }, []],
  // Its own bits count, and not those of everybody.
  ['certs/valkey/server.crt', { mode: 0o044 }, [['fail', 'owners', /cannot read/]]],
  ['scripts/valkey-health.sh', { mode: 0o644 }, [['fail', 'owners', /cannot run .*valkey-health\.sh/, /^chmod 755 /]]],
  [acl, { readable: false }, [['fail', 'access', /cannot read deploy\/secrets\/valkey_users\.acl: /, /as root/]]],
  [acl, { kind: 'unseen', readable: false }, [['fail', 'access', /was not checked/]]],
]

test('a stack as it was made is well, and each thing that is wrong with a file is one finding', () => {
  assertFindings(judgeFiles(spec, { paths: rightFacts() }, names), [], 'as made')
  for (const [path, change, expected] of cases) {
    const paths = rightFacts()
    const facts = paths.get(path)
    assert.ok(facts, path)
    paths.set(path, { ...facts, ...change })
    assertFindings(judgeFiles(spec, { paths }, names), expected, `${path} ${JSON.stringify(change)}`)
  }
})

test('of what could not be seen nothing is said to be well', () => {
  const paths = new Map(
    [...rightFacts()].map(([path, facts]) => [path, { ...facts, kind: 'unseen' as const, readable: false }]),
  )
  assert.deepEqual(
    judgeFiles(spec, { paths }, names).map(({ check }) => check),
    ['access'],
  )
})

test('root inside the container is held to the mode: it has no capabilities', () => {
  const asRoot = { ...spec, service: { ...spec.service, user: '0:0' } }
  const paths = rightFacts()
  const [first] = judgeFiles(asRoot, { paths }, names).filter(({ check }) => check === 'owners')
  assert.match(first?.detail ?? '', /user 0:0 of the container cannot read/)
})

test('a directory however stack.yaml writes it, with those above it', () => {
  const files = { ...spec.files, compose: '../x.yml', secrets: './a/b/', config: '/etc/x/valkey.conf' }
  assert.deepEqual(swappablePaths({ ...spec, files }).toSorted(), [
    ...['.', '..', '../x.yml', '/etc/x', 'a', 'a/b', 'certs', 'certs/valkey', 'scripts', 'stack.yaml'],
  ])
})
