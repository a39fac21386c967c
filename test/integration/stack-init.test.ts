/** `valkeep stack init` and the commands of its parts, as a person types them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { sha256Hex } from '../../src/vault/random.ts'
import { asPerson } from '../support/as-person.ts'

const program = fileURLToPath(new URL('../../bin/valkeep', import.meta.url))
const dirs = mkdtempSync(join(tmpdir(), 'vk-init-'))
const model = join(dirs, 'model')

const valkeep = (cwd: string, ...words: string[]) =>
  spawnSync(program, ['stack', ...words], { cwd, encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: dirs } })

before(() => {
  const { status, stderr } = valkeep(dirs, 'init', 'model')
  assert.equal(status, 0, stderr)
})
after(() => rmSync(dirs, { recursive: true }))

/** A copy of one stack: keys take seconds to make. */
function copy(t: TestContext): string {
  const dir = mkdtempSync(join(dirs, 'copy-'))
  // With owners: root's stack is handed to another user.
  assert.equal(spawnSync('cp', ['-a', `${model}/.`, dir]).status, 0)
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Every file with the digest of its bytes, its mode, time and owner. */
function snapshot(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(dir, path)).isFile(),
  )
  return Object.fromEntries(
    files.sort().map((path) => {
      const { mode, mtimeMs, uid, gid } = statSync(join(dir, path))
      return [path, `${sha256Hex(readFileSync(join(dir, path)))} ${mode.toString(8)} ${uid}:${gid} ${mtimeMs}`]
    }),
  )
}

const withoutTime = (facts = '') => facts.split(' ').slice(0, 3)

test('the layout is the source’s, with its modes', () => {
  const mode = (path: string) => (statSync(join(model, path)).mode & 0o777).toString(8)
  const expected: Record<string, string> = {
    '.gitignore': '644',
    'certs/valkey/ca.crt': '644',
    'certs/valkey/ca.key': '600',
    'certs/valkey/client.crt': '644',
    'certs/valkey/client.key': '600',
    'certs/valkey/server.crt': '644',
    'certs/valkey/server.key': '600',
    'config/valkey.conf': '644',
    'deploy/docker-compose.yml': '644',
    'deploy/secrets/credentials.env.example': '600',
    'deploy/secrets/valkey_password.txt': '600',
    'deploy/secrets/valkey_users.acl': '600',
    'scripts/generate-valkey-certs.sh': '755',
    'scripts/generate-valkey-secrets.sh': '755',
    'scripts/valkey-health.sh': '755',
    'stack.yaml': '644',
  }
  assert.deepEqual(Object.keys(snapshot(model)), Object.keys(expected))
  for (const [path, wanted] of Object.entries(expected)) assert.equal(mode(path), wanted, path)
  assert.deepEqual([mode('deploy'), mode('deploy/secrets'), mode('certs/valkey')], ['755', '700', '755'])
  assert.equal(readFileSync(join(model, '.gitignore'), 'utf8'), 'secrets/\ncerts/valkey/*.key\n')
})

test('git sees none of its secrets', (t) => {
  const dir = copy(t)
  const git = (...words: string[]) => spawnSync('git', words, { cwd: dir, encoding: 'utf8' })
  git('init', '--quiet')
  git('add', '--all')
  const seen = git('ls-files').stdout.trim().split('\n')
  assert.ok(seen.includes('stack.yaml'))
  assert.deepEqual(
    seen.filter((path) => path.includes('secrets/') || path.endsWith('.key')),
    [],
  )
})

test('repeated it changes no byte, each part makes what is missing, and says what it kept', (t) => {
  const dir = copy(t)
  const before = snapshot(dir)
  const again = valkeep(dir, 'init')
  assert.equal(again.status, 0, again.stderr)
  assert.deepEqual(snapshot(dir), before)
  assert.equal(again.stdout.split('\n').filter((line) => line.startsWith('kept ')).length, Object.keys(before).length)
  for (const path of ['config/valkey.conf', 'deploy/docker-compose.yml', 'scripts/valkey-health.sh', '.gitignore']) {
    rmSync(join(dir, path))
    const made = valkeep(dir, 'init')
    assert.equal(made.status, 0, made.stderr)
    assert.ok(made.stdout.includes(`wrote ${path}\n`), made.stdout)
    assert.deepEqual(withoutTime(snapshot(dir)[path]), withoutTime(before[path]))
  }
})

test('it prints the one line that starts it, from where one stands', () => {
  assert.match(
    valkeep(dirs, 'init', 'model').stderr,
    /docker compose -f model\/deploy\/docker-compose\.yml up -d --wait/,
  )
  assert.match(valkeep(model, 'init').stderr, /docker compose -f deploy\/docker-compose\.yml up -d --wait/)
  const json = JSON.parse(valkeep(model, 'init', '--json').stdout) as { next: string; files: object[] }
  assert.match(json.next, /^docker compose -f /)
  assert.equal(json.files.length, 16)
})

test('what a person changed by hand is kept and named; force writes it anew', (t) => {
  const dir = copy(t)
  for (const [part, path] of [
    ['conf', 'config/valkey.conf'],
    ['compose', 'deploy/docker-compose.yml'],
  ] as const) {
    const file = join(dir, path)
    writeFileSync(file, `${readFileSync(file, 'utf8')}# mine\n`)
    const kept = valkeep(dir, 'init')
    assert.equal(kept.status, 0)
    assert.ok(kept.stdout.includes(`kept (differs) ${path}`), kept.stdout)
    assert.match(kept.stderr, /--force/)
    const refused = valkeep(dir, part)
    assert.equal(refused.status, 6)
    assert.match(refused.stderr, /is not what stack\.yaml says, and was kept[\s\S]*--force/)
    assert.match(readFileSync(file, 'utf8'), /# mine/)
    assert.equal(valkeep(dir, part, '--force').status, 0)
    assert.doesNotMatch(readFileSync(file, 'utf8'), /# mine/)
  }
})

test('a compose file of somebody else is never written over, whatever is forced', (t) => {
  const dir = copy(t)
  const theirs = '# theirs\nservices:\n  gateway: {image: x} # pinned\n'
  rmSync(join(dir, 'stack.yaml'))
  writeFileSync(join(dir, 'docker-compose.yml'), theirs)
  assert.equal(valkeep(dir, 'init', '--into', 'docker-compose.yml').status, 0)
  const merged = readFileSync(join(dir, 'docker-compose.yml'), 'utf8')
  assert.ok(merged.startsWith(theirs))
  for (const words of [['compose', '--force'], ['init'], ['compose']]) {
    assert.equal(valkeep(dir, ...words).status, 0)
    assert.equal(readFileSync(join(dir, 'docker-compose.yml'), 'utf8'), merged)
  }
  // Not even where stack.yaml forgot whose it is.
  const spec = join(dir, 'stack.yaml')
  writeFileSync(spec, readFileSync(spec, 'utf8').replace('compose_shared: true', 'compose_shared: false'))
  for (const words of [['compose', '--force'], ['init'], ['compose', 'docker-compose.yml', '--force']]) {
    const refused = valkeep(dir, ...words)
    assert.equal(refused.status, 6, refused.stdout)
    assert.match(refused.stderr, /holds other services: gateway[\s\S]*compose --into/)
    assert.equal(readFileSync(join(dir, 'docker-compose.yml'), 'utf8'), merged)
  }
})

test('a compose file that the stack cannot go into is told before anything is written', (t) => {
  const dir = mkdtempSync(join(dirs, 'taken-'))
  t.after(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'docker-compose.yml'), 'services:\n  valkey: {image: redis}\n')
  const refused = valkeep(dir, 'init', '--into', 'docker-compose.yml')
  assert.equal(refused.status, 6)
  assert.match(refused.stderr, /services\.valkey\nNext: .*compose --into .*--force/)
  assert.deepEqual(readdirSync(dir), ['docker-compose.yml'])
})

test('what is proposed names the stack that it is about', () => {
  const kept = valkeep(dirs, 'secrets', '--stack', 'model', '--rotate', 'mcp-agent', '--keep-old')
  assert.match(kept.stderr, /valkeep stack secrets --drop-old mcp-agent --apply --stack model/)
  assert.equal(valkeep(dirs, 'secrets', '--stack', 'model', '--drop-old', 'mcp-agent').status, 0)
})

test('flags that say otherwise than stack.yaml are refused; the same ones are not', (t) => {
  const dir = copy(t)
  const before = snapshot(dir)
  const refused = valkeep(dir, 'init', '--preset', 'hardened')
  assert.equal(refused.status, 6)
  assert.match(refused.stderr, /stack\.yaml is there already and says otherwise/)
  assert.equal(valkeep(dir, 'init', '--preset', 'default', '--prefix', 'molis').status, 0)
  assert.deepEqual(snapshot(dir), before)
})

test('what is chosen at the beginning goes everywhere', (t) => {
  const dir = mkdtempSync(join(dirs, 'own-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const words = [
    '--prefix',
    'acme',
    '--per-user-files',
    '--network',
    'backend',
    '--network-external',
    '--io-threads',
    '4',
  ]
  const made = valkeep(
    dir,
    'init',
    ...words,
    '--san',
    'cache.internal',
    '--san',
    '10.0.0.7',
    '--days',
    '30',
    '--ca-subject',
    '/CN=Acme CA/O=Acme/C=DE',
  )
  assert.equal(made.status, 0, made.stderr)
  const text = (path: string) => readFileSync(join(dir, path), 'utf8')
  assert.match(text('config/valkey.conf'), /appendfilename acme\.aof\ndbfilename acme\.rdb/)
  assert.match(text('config/valkey.conf'), /io-threads 4\nio-threads-do-reads yes\n/)
  assert.match(text('deploy/secrets/valkey_users.acl'), /~acme:blocked:\*/)
  for (const user of ['mcp-agent', 'mcp-admin', 'log-writer'])
    assert.match(text(`deploy/secrets/${user}.txt`), /^[A-Za-z0-9]{32}\n$/)
  const compose = parse(text('deploy/docker-compose.yml')) as {
    services: { valkey: { networks: string[]; labels: object } }
    networks: object
  }
  assert.deepEqual(compose.networks, { backend: { name: 'backend', external: true } })
  assert.deepEqual(compose.services.valkey.labels, { service: 'acme-valkey' })
  const shown = spawnSync(
    'openssl',
    ['x509', '-in', join(dir, 'certs/valkey/server.crt'), '-noout', '-ext', 'subjectAltName', '-issuer'],
    { encoding: 'utf8' },
  )
  assert.match(shown.stdout, /DNS:cache\.internal, IP Address:127\.0\.0\.1, .*IP Address:10\.0\.0\.7/)
  assert.match(shown.stdout, /issuer=.*CN ?= ?Acme CA, O ?= ?Acme, C ?= ?DE/)
})

for (const [what, words, expected] of [
  ['a preset that is none', ['init', '--preset', 'soft'], /not one of default, hardened/],
  ['a prefix with a space', ['init', '--prefix', 'a b'], /--prefix must be letters/],
  ['threads that are no number', ['init', '--io-threads', 'many'], /auto, or a number from 1 to 16/],
  ['a subject that is none', ['init', '--ca-subject', 'molis'], /must be a subject such as/],
  ['no days', ['init', '--days', '0'], /--days .*>=1/],
  ['a user by name', ['init', '--user', 'valkey'], /numbers UID:GID/],
  ['a compose file that is not there', ['init', '--into', 'none.yml'], /There is no none\.yml to add to/],
  ['a stack that is not there', ['check'], /There is no stack\.yaml/],
  ['a rotation of nothing', ['secrets', '--rotate', 'mcp-agent'], /There are no secrets in secrets to change/],
  ['a rotation of nobody', ['secrets', '--rotate', 'mcp-agnt'], /Did you mean mcp-agent\?/],
  ['a second password for nobody', ['secrets', '--keep-old'], /--keep-old goes with --rotate/],
] as const)
  test(`${what} is refused, and nothing is written but what it could be told from`, (t) => {
    const dir = mkdtempSync(join(dirs, 'bad-'))
    t.after(() => rmSync(dir, { recursive: true }))
    const refused = valkeep(dir, ...words)
    assert.notEqual(refused.status, 0)
    assert.match(refused.stderr, expected)
    assert.doesNotMatch(refused.stderr, /fault of valkeep itself/)
    assert.deepEqual(readdirSync(dir), [])
  })

test('a directory that may not be written to is said', (t) => {
  const dir = mkdtempSync(join(dirs, 'closed-'))
  t.after(() => rmSync(dir, { recursive: true }))
  chmodSync(dir, 0o500)
  const refused = spawnSync(...asPerson('1234:1235', program, ['stack', 'init', dir]), {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  })
  assert.equal(refused.status, 1, refused.stderr)
  assert.match(refused.stderr, /cannot write .*stack\.yaml: this user may not/)
})

test('one part alone needs no stack', (t) => {
  const dir = mkdtempSync(join(dirs, 'alone-'))
  t.after(() => rmSync(dir, { recursive: true }))
  assert.equal(valkeep(dir, 'secrets').status, 0)
  assert.equal(valkeep(dir, 'conf').status, 0)
  assert.equal(valkeep(dir, 'compose').status, 0)
  for (const path of ['secrets/valkey_users.acl', 'config/valkey.conf', 'deploy/docker-compose.yml'])
    assert.ok(existsSync(join(dir, path)), path)
  assert.equal(valkeep(dir, 'conf', '-').stdout, readFileSync(join(dir, 'config/valkey.conf'), 'utf8'))
})
