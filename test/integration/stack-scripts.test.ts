/** scripts/generate-valkey-secrets.sh of a stack, under every shell: properties 7 to 9 of the source, and what a person may do to its files. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { renderAclFile } from '../../src/domain/acl/render.ts'
import { stackAcl } from '../../src/domain/stack/acl.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { scriptFiles, secretFiles } from '../../src/domain/stack/places.ts'
import { parseCredentials } from '../../src/domain/stack/secrets.ts'
import { type StackSpec, stackSpecSchema } from '../../src/domain/stack/spec.ts'
import { renderScripts } from '../../src/stack/scripts.ts'
import { requirePart } from '../support/parts.ts'
import {
  ended,
  isRoot,
  killedAtRename,
  makeScriptRoom,
  snapshot,
  testEachShell,
  wrappers,
} from '../support/stack-scripts.ts'

const script = scriptFiles.secrets
const HEALTH_FILE = 'valkey_password.txt'
const spec = defaultSpec()
const users = Object.keys(spec.users)
const restart = 'Valkey reads its users only at its start: docker compose -f deploy/docker-compose.yml restart valkey'
const kept = [HEALTH_FILE, secretFiles.env, secretFiles.acl].map((name) => `kept ${name}`)

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const read = (dir: string, file: string) => readFileSync(join(dir, file), 'utf8')
const texts = (dir: string) => Object.fromEntries(Object.entries(snapshot(dir)).map(([name, { text }]) => [name, text]))

/** Passwords by user, as the credentials file has them. */
function passwordsIn(dir: string, of: StackSpec = spec): Record<string, string> {
  const values = parseCredentials(read(dir, secretFiles.env))
  return Object.fromEntries(
    Object.entries(of.users).flatMap(([name, { env }]) => {
      const value = values.get(env)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function digestsIn(dir: string, user: string): string[] {
  const line = read(dir, secretFiles.acl)
    .split('\n')
    .find((each) => each.startsWith(`user ${user} `))
  return [...(line ?? '').matchAll(/ #([0-9a-f]{64})(?= )/g)].map(([, digest]) => String(digest))
}

/** That the directory holds exactly what belongs there, and that its files agree with each other and the model. */
function assertWhole(dir: string, of: StackSpec = spec, older: Record<string, string[]> = {}): Record<string, string> {
  const passwords = passwordsIn(dir, of)
  assert.deepEqual(Object.keys(passwords), Object.keys(of.users))
  const acl = renderAclFile(stackAcl(of, (name) => [sha256(passwords[name] ?? ''), ...(older[name] ?? [])]))
  const own = Object.entries(of.users).flatMap(([name, user]) =>
    user.password_file === undefined ? [] : [[user.password_file, `${passwords[name]}\n`] as const],
  )
  const credentials = Object.entries(of.users).map(([name, { env }]) => `${env}=${passwords[name]}\n`)
  const expected = { [secretFiles.acl]: acl, [secretFiles.env]: credentials.join(''), ...Object.fromEntries(own) }
  assert.deepEqual(texts(dir), expected)
  return passwords
}

const seen = new Set<string>()

testEachShell(
  'four new passwords of 32 letters and digits, files 600, digests that fit, and a second run that touches nothing',
  (room) => {
    for (let round = 0; round < 3; round++) {
      const dir = join(room.dir, `s${round}`)
      assert.equal(ended(room.run(script, [dir]), 0).err, '')
      for (const password of Object.values(assertWhole(dir))) {
        assert.match(password, /^(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{32}$/)
        assert.ok(!seen.has(password), 'no password comes twice')
        seen.add(password)
      }
      assert.equal(statSync(dir).mode & 0o7777, 0o700)
      const before = snapshot(dir)
      for (const [name, { mode, uid, gid }] of Object.entries(before)) {
        assert.equal(mode, '600', name)
        if (isRoot) assert.equal(`${uid}:${gid}`, name === secretFiles.env ? '0:0' : spec.service.user, name)
      }
      assert.deepEqual(ended(room.run(script, [dir]), 0).out, kept)
      assert.deepEqual(snapshot(dir), before)
    }
  },
)

testEachShell(
  '--rotate changes one user, --keep-old leaves the old one valid until --drop-old',
  ({ run, dir: room }) => {
    const dir = join(room, 's')
    ended(run(script, [dir]), 0)
    const first = assertWhole(dir)
    const { out } = ended(run(script, [dir, '--rotate', 'log-writer']), 0)
    assert.deepEqual(out, [...kept.slice(0, 1), `wrote ${secretFiles.env}`, `wrote ${secretFiles.acl}`, restart])
    const second = assertWhole(dir)
    assert.notEqual(second['log-writer'], first['log-writer'])
    assert.deepEqual({ ...second, 'log-writer': '' }, { ...first, 'log-writer': '' })

    ended(run(script, ['--keep-old', dir, '--rotate', 'healthcheck']), 0)
    const old = [sha256(second['healthcheck'] ?? '')]
    const third = assertWhole(dir, spec, { healthcheck: old })
    assert.notEqual(third['healthcheck'], second['healthcheck'])
    assert.deepEqual(ended(run(script, [dir]), 0).out, kept)
    const dropped = ended(run(script, ['--drop-old', 'healthcheck', dir]), 0).out
    assert.deepEqual(dropped, [...kept.slice(0, 2), `wrote ${secretFiles.acl}`, restart])
    assert.deepEqual(assertWhole(dir), third)

    ended(run(script, [dir, '--force']), 0)
    const anew = Object.values(assertWhole(dir))
    assert.ok(!anew.some((password) => Object.values(third).includes(password)))
  },
)

testEachShell(
  'credentials that were handed out and taken away do not come back, but a new password does',
  ({ run, dir: room }) => {
    const dir = join(room, 's')
    ended(run(script, [dir]), 0)
    const before = texts(dir)
    rmSync(join(dir, secretFiles.env))
    const again = ended(run(script, [dir]), 0)
    assert.match(again.err, /^note: credentials\.env\.example was taken away, and stays so/)
    const { [secretFiles.env]: _, ...left } = before
    assert.deepEqual(texts(dir), left)
    assert.match(ended(run(script, [dir, '--drop-old', 'mcp-agent']), 1).err, /mcp-agent.*--rotate mcp-agent/)

    ended(run(script, [dir, '--rotate', 'mcp-agent']), 0)
    const { 'mcp-agent': agent, healthcheck, ...others } = passwordsIn(dir)
    assert.deepEqual(others, {}, 'no line for whom only the digest is known')
    assert.deepEqual(digestsIn(dir, 'mcp-agent'), [sha256(agent ?? '')])
    assert.equal(`${healthcheck}\n`, read(dir, HEALTH_FILE))
    for (const name of ['mcp-admin', 'log-writer'])
      assert.ok(before[secretFiles.acl]?.includes(`#${digestsIn(dir, name)[0]} `), `${name} keeps its password`)
  },
)

/** A spec whose rules and patterns try to leave their place in a script and its ACL lines. */
function hostileSpec(): StackSpec {
  const evil = ["~it's:$HOME:`id`:$(id):*", '~@ME@:@ABOUT@:$&:$1', '~\\n"%s%d#!;&|<>(){}*?[a]', '%R~{prefix}:x']
  const base = defaultSpec({ perUserFiles: true, prefix: 'other' })
  const user = {
    keys: evil,
    channels: ["&'$x*"],
    commands: ['+get', '+client|setname'],
    env: 'EVIL',
    password_file: 'pid',
  }
  const { 'log-writer': _, ...rest } = base.users
  return stackSpecSchema.parse({ ...base, users: { ...rest, 'evil-user': user } })
}

testEachShell(
  'a changed spec: a new user gets a password, rules follow, and a user whom the script does not know is no reason to forget it',
  (room) => {
    const dir = join(room.dir, 's')
    ended(room.run(script, [dir]), 0)
    const before = assertWhole(dir)
    const changed = hostileSpec()
    room.render(changed)
    const refused = ended(room.run(script, [dir]), 1)
    assert.match(refused.err, /has the user log-writer, whom this script does not know/)
    assert.deepEqual(assertWhole(dir), before)
    writeFileSync(join(dir, secretFiles.acl), read(dir, secretFiles.acl).replace(/^user log-writer .*\n/m, ''))
    ended(room.run(script, [dir]), 0)
    const after = assertWhole(dir, changed)
    for (const name of users.filter((user) => user !== 'log-writer')) assert.equal(after[name], before[name], name)
    assert.match(after['evil-user'] ?? '', /^[A-Za-z0-9]{32}$/)
    assert.deepEqual(ended(room.run(script, [dir]), 0).out.length, 6)
  },
)

testEachShell(
  'files that contradict each other change nothing, and the message names the user and the way out',
  ({ run, dir: room }) => {
    const dir = join(room, 's')
    const spoil = (file: string, from: RegExp, to: string) =>
      writeFileSync(join(dir, file), read(dir, file).replace(from, to))
    const cases: [spoil: () => void, user: string][] = [
      [() => spoil(secretFiles.env, /(MCP_ADMIN_PASS=)./, '$1-'), 'mcp-admin'],
      [() => spoil(HEALTH_FILE, /^./, '-'), 'healthcheck'],
      [() => spoil(secretFiles.acl, /(log-writer on #)[0-9a-f]{64}/, `$1${'0'.repeat(64)}`), 'log-writer'],
      [() => spoil(secretFiles.acl, /(mcp-agent on #)./, '$1X'), 'mcp-agent'],
    ]
    for (const [index, [damage, user]] of cases.entries()) {
      rmSync(dir, { recursive: true, force: true })
      ended(run(script, [dir]), 0)
      const good = passwordsIn(dir)
      damage()
      const before = snapshot(dir)
      const { err } = ended(run(script, [dir]), 1)
      assert.match(err, new RegExp(`\\b${user}\\b`), `case ${index}`)
      for (const password of Object.values(good))
        assert.ok(!err.includes(password.slice(1)), 'no password in a message')
      assert.deepEqual(snapshot(dir), before)
      ended(run(script, [dir, '--rotate', user]), 0)
      assert.deepEqual({ ...assertWhole(dir), [user]: '' }, { ...good, [user]: '' })
    }
    mkdirSync(join(room, 'd', secretFiles.acl), { recursive: true })
    assert.match(ended(run(script, [join(room, 'd')]), 1).err, /valkey_users\.acl is a directory: remove it/)
    assert.deepEqual(readdirSync(join(room, 'd')), [secretFiles.acl])
  },
)

testEachShell(
  'killed before any of its renames, the same command again makes it whole',
  ({ run, dir: room, takesTurn }) => {
    for (const [kind, args] of [[], ['--rotate', 'healthcheck'], ['--force']].entries()) {
      for (const nth of [1, 2, 3]) {
        // Every kind of run and every rename under each shell, their pairs spread over all.
        if (!takesTurn(kind + nth)) continue
        const dir = join(room, `${kind}-${nth}`)
        if (args.length > 0) ended(run(script, [dir]), 0)
        const killed = run(script, [dir, ...args], { env: { PATH: killedAtRename(dir, nth) } })
        assert.equal(killed.code, null, `${args} ${nth}`)
        assert.equal(statSync(join(dir, '.new')).mode & 0o777, 0o700, 'what it leaves behind is for its owner alone')
        for (const [name, { mode }] of Object.entries(snapshot(join(dir, '.new')))) assert.equal(mode, '600', name)
        ended(run(script, [dir, ...args]), 0)
        assertWhole(dir)
      }
    }
  },
)

testEachShell(
  'a second run at the same time is refused; the leftovers of a dead one are removed',
  ({ run, dir: room }) => {
    const dir = join(room, 's')
    mkdirSync(join(dir, '.new'), { recursive: true })
    writeFileSync(join(dir, '.new', '.pid'), `${process.pid}\n`)
    writeFileSync(join(dir, '.new', secretFiles.env), 'EVIL=left behind\n')
    assert.match(ended(run(script, [dir]), 1).err, new RegExp(`process ${process.pid} is at work`))
    assert.deepEqual(readdirSync(dir), ['.new'])
    const gone = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' })
    writeFileSync(join(dir, '.new', '.pid'), gone)
    ended(run(script, [dir]), 0)
    assertWhole(dir)
  },
)

const PROGRAMS = ['cat', 'chmod', 'chown', 'dd', 'id', 'ls', 'mkdir', 'mv', 'openssl', 'rm', 'sha256sum', 'sync', 'tr']

testEachShell('no program that it starts sees a password in its arguments or environment', ({ run, dir: room }) => {
  const dir = join(room, 's')
  const record = join(room, 'record')
  const line = `printf '%s\\n' "$0 $*" >>'${record}'; /usr/bin/env >>'${record}'`
  // On this PATH there is nothing that is not recorded.
  const path = wrappers(join(room, 'bin'), Object.fromEntries(PROGRAMS.map((name) => [name, line])))
  // Exported by its caller, a name would go on to the children.
  const exported = Object.fromEntries(
    ['password', 'own', 'found', 'many', 'line', 'digests'].map((name) => [name, 'x']),
  )
  const env = { ...exported, PATH: path, SHELLOPTS: 'allexport' }
  const passwords: string[] = []
  for (const args of [[], ['--rotate', 'healthcheck', '--keep-old'], [], ['--force']]) {
    ended(run(script, [dir, ...args], { env }), 0)
    passwords.push(...Object.values(passwordsIn(dir)))
  }
  const text = readFileSync(record, 'utf8')
  for (const name of ['tr', 'sha256sum', 'mv', 'cat']) assert.ok(text.includes(`/${name} `), `${name} was recorded`)
  for (const password of passwords) assert.ok(!text.includes(password))
})

testEachShell('without openssl or without sha256sum it does the same', ({ run, dir: room }) => {
  for (const missing of ['openssl', 'sha256sum']) {
    const present = PROGRAMS.filter((name) => name !== missing)
    const path = wrappers(join(room, `bin-${missing}`), Object.fromEntries(present.map((name) => [name, ''])))
    const dir = join(room, `without-${missing}`)
    ended(run(script, [dir], { env: { PATH: path } }), 0)
    assertWhole(dir)
  }
})

testEachShell('directories of any name, and the default one', ({ run, dir: room }) => {
  const odd = ['with space', '-dash', 'quo\'te"$x`', 'deep/er/still', 'ä\nb', '*', '--force']
  for (const name of odd) {
    ended(run(script, ['--', name]), 0)
    assertWhole(join(room, name))
  }
  ended(run(script), 0)
  assertWhole(join(room, 'secrets'))
  symlinkSync('secrets', join(room, 'link'))
  assert.deepEqual(ended(run(script, ['link']), 0).out, kept)
  mkdirSync(join(room, 'open'), { mode: 0o755 })
  assert.match(ended(run(script, ['open']), 0).err, /others may look into open: chmod 700 it/)
  assert.equal(statSync(join(room, 'open')).mode & 0o777, 0o755, 'a directory of somebody else’s making stays as it is')
})

testEachShell('a wrong command line ends with 2 and makes nothing', ({ run, dir: room }) => {
  const wrong = [
    ['--nosuch'],
    ['-x'],
    ['a', 'b'],
    [''],
    ['--rotate'],
    ['--rotate', 'nobody', 'a'],
    ['--rotate', '', 'a'],
    ['--rotate', 'mcp-agent', 'a'],
    ['--rotate', 'mcp-agent', '--rotate', 'mcp-admin', 'a'],
    ['--rotate', 'mcp-agent', '--drop-old', 'mcp-agent', 'a'],
    ['--drop-old', '*', 'a'],
    ['--keep-old', 'a'],
    ['--force', '--rotate', 'mcp-agent', 'a'],
  ]
  for (const args of wrong) assert.match(ended(run(script, args), 2).err, /--help tells more\n$/, args.join(' '))
  assert.match(ended(run(script, ['--help']), 0).out.join('\n'), /^Usage: generate-valkey-secrets\.sh/)
  assert.deepEqual(readdirSync(room), [])
})

testEachShell(
  'another user than root keeps what it makes, where it is the one who reads it',
  ({ run, render, dir: room }, t) => {
    if (!isRoot) return t.skip('only root can run it as somebody else; as this user the other tests did')
    const [uid, dir] = [65_534, join(room, 'theirs')]
    mkdirSync(dir)
    execFileSync('chown', [String(uid), dir])
    assert.match(ended(run(script, ['theirs/s'], { uid }), 1).err, /only root can hand it files/)
    render(defaultSpec({ user: `${uid}:${uid}` }))
    ended(run(script, ['theirs/s'], { uid }), 0)
    assert.deepEqual(new Set(Object.values(snapshot(join(dir, 's'))).map((file) => file.uid)), new Set([uid]))
    assert.equal(run(script, ['root-owned'], { uid }).code, 1)
  },
)

test('shellcheck has nothing to say about any rendered script', (t) => {
  const shellcheck = requirePart(t, 'shellcheck')
  if (shellcheck === undefined) return
  const specs = [spec, defaultSpec({ preset: 'hardened', perUserFiles: true }), hostileSpec()]
  for (const [index, each] of specs.entries()) {
    const { dir } = makeScriptRoom(t)
    for (const [name, text] of Object.entries(renderScripts(each))) {
      writeFileSync(join(dir, name), text)
      assert.equal(execFileSync(shellcheck, [join(dir, name)], { encoding: 'utf8' }), '', `${name} of spec ${index}`)
    }
  }
})
