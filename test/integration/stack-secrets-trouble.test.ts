/**
 * The secrets of a stack after whatever may become of them: edited, taken away, half written, broken. No password is lost or made weak by
 * it, and what cannot go on is told with what mends it.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { CliError, exitCodes } from '../../src/cli/exit-code.ts'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { secretFiles } from '../../src/domain/stack/places.ts'
import type { StackSpec } from '../../src/domain/stack/spec.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { finished } from '../support/cli-process.ts'
import { changedSince, secretsRun, snapshot, unwritable } from '../support/stack.ts'
import {
  consistent,
  credentials,
  digestsOf,
  linesWithout,
  made,
  newDir,
  read,
  refuses,
  seedOf,
} from '../support/stack-secrets.ts'

const entry = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url))
const spec = defaultSpec()
const perUser = defaultSpec({ perUserFiles: true })
const { acl: aclFile, env: envFile } = secretFiles
const healthFile = 'valkey_password.txt'
const other = 'ofaPersonsOwnChoosing23456789abc'

const edit = (dir: string, file: string, change: (text: string) => string) =>
  writeFileSync(join(dir, file), change(read(dir, file)))
const setEnv = (dir: string, env: string, value: string) =>
  edit(dir, envFile, (text) => text.replace(new RegExp(`^${env}=.*$`, 'm'), `${env}=${value}`))

describe('edited', () => {
  /** What the conflict says to type mends it, and the others keep what they have. */
  function mendedByRotation(dir: string, user: string): void {
    const lines = linesWithout(dir, spec, [user])
    secretsRun(dir, spec, { rotate: user })
    consistent(dir, spec)
    assert.deepEqual(linesWithout(dir, spec, [user]), lines)
    assert.equal(digestsOf(dir).get(user)?.length, 1)
    assert.equal(secretsRun(dir, spec).changed, false)
  }

  test('a password file and the credentials that differ are told', () => {
    for (const change of [
      (dir: string) => writeFileSync(join(dir, healthFile), `${other}\n`),
      (dir: string) => setEnv(dir, 'VALKEY_HEALTHCHECK_PASS', other),
    ]) {
      const dir = made()
      change(dir)
      refuses(dir, {}, exitCodes.conflict, /valkey_password\.txt and credentials\.env\.example/, /--rotate healthcheck/)
      refuses(dir, { rotate: 'mcp-agent' }, exitCodes.conflict, /two passwords for healthcheck/, /--rotate healthcheck/)
      mendedByRotation(dir, 'healthcheck')
    }
  })

  test('a password that the ACL file does not know is told', () => {
    const dir = made()
    setEnv(dir, 'VALKEY_MCP_AGENT_PASS', other)
    refuses(dir, {}, exitCodes.conflict, /mcp-agent .*not the one in the ACL file/, /--rotate mcp-agent/)
    mendedByRotation(dir, 'mcp-agent')
    const both = made()
    writeFileSync(join(both, healthFile), `${other}\n`)
    setEnv(both, 'VALKEY_HEALTHCHECK_PASS', other)
    refuses(both, {}, exitCodes.conflict, /healthcheck .*not the one in the ACL file/, /--rotate healthcheck/)
    mendedByRotation(both, 'healthcheck')
  })

  test('an ACL file that is none is told, and is made again of the passwords once it is moved away', () => {
    const dir = made()
    const right = read(dir, aclFile)
    for (const broken of [
      '# a comment\n',
      'user\n',
      'nonsense of a file\n',
      right.replace('user mcp-agent', 'usr mcp-agent'),
    ]) {
      writeFileSync(join(dir, aclFile), broken)
      refuses(dir, {}, exitCodes.conflict, /valkey_users\.acl cannot be read/, /move it away/)
    }
    rmSync(join(dir, aclFile))
    secretsRun(dir, spec)
    assert.equal(read(dir, aclFile), right)
  })

  test('rules, flags and users that somebody put into the ACL file are taken out, and passwords stay', () => {
    const dir = made()
    const right = read(dir, aclFile)
    const edits = [
      right.replace('user log-writer on', 'user log-writer on ~*'),
      right.replace('user log-writer on', 'user log-writer off'),
      right.replace(/(user healthcheck on .*)/, '$1 +@all'),
      `${right}user intruder on #${sha256Hex(other)} ~* &* +@all\n`,
      right.replace('user default off', 'user default on'),
    ]
    for (const text of edits) {
      assert.notEqual(text, right)
      writeFileSync(join(dir, aclFile), text)
      assert.equal(secretsRun(dir, spec).changed, true)
      assert.equal(read(dir, aclFile), right)
    }
  })

  test('comments and order in the credentials do no harm', () => {
    const dir = made()
    const before = digestsOf(dir)
    edit(dir, envFile, (text) => `# for the consumers\n\n${text.split('\n').toReversed().join('\r\n')}\r\n`)
    secretsRun(dir, spec)
    consistent(dir, spec)
    assert.deepEqual(digestsOf(dir), before)
  })

  test('an empty password is none: nobody is let in by it', () => {
    const empty = sha256Hex('')
    for (const change of [
      (dir: string) => setEnv(dir, 'VALKEY_MCP_AGENT_PASS', ''),
      (dir: string) => writeFileSync(join(dir, healthFile), ''),
      (dir: string) => writeFileSync(join(dir, healthFile), '\n'),
    ])
      for (const hasAcl of [true, false]) {
        const dir = made()
        change(dir)
        if (!hasAcl) rmSync(join(dir, aclFile))
        const before = snapshot(dir)
        try {
          secretsRun(dir, spec)
          consistent(dir, spec)
        } catch (error) {
          assert.ok(error instanceof CliError, String(error))
          assert.deepEqual(changedSince(before, dir), [])
        }
        if (existsSync(join(dir, aclFile))) assert.ok(!read(dir, aclFile).includes(empty), 'an empty password')
      }
  })

  test('a password of several lines or with blanks never becomes a line of another file', () => {
    for (const text of [`${other}\nVALKEY_MCP_ADMIN_PASS=${other}\n`, `${other} \n`, `\t${other}\n`, `${other}\0\n`]) {
      const dir = made()
      rmSync(join(dir, aclFile))
      rmSync(join(dir, envFile))
      writeFileSync(join(dir, healthFile), text)
      refuses(dir, {}, exitCodes.conflict, /valkey_password\.txt/, /--rotate healthcheck/)
    }
  })
})

describe('taken away', () => {
  test('the credentials stay away until a password is new, and then hold what is known', () => {
    const dir = made()
    rmSync(join(dir, envFile))
    const { notes, changed } = secretsRun(dir, spec)
    assert.match(notes.join('\n'), /credentials\.env\.example was taken away, and stays so/)
    assert.equal(changed, false)
    assert.ok(!existsSync(join(dir, envFile)))
    const digests = digestsOf(dir)
    secretsRun(dir, spec, { rotate: 'mcp-agent' })
    consistent(dir, spec)
    assert.deepEqual([...credentials(dir).keys()], ['VALKEY_MCP_AGENT_PASS', 'VALKEY_HEALTHCHECK_PASS'])
    for (const user of ['mcp-admin', 'log-writer', 'healthcheck'])
      assert.deepEqual(digestsOf(dir).get(user), digests.get(user))
  })

  test('which of several passwords is the current one cannot be told without its text', () => {
    const dir = made()
    secretsRun(dir, spec, { rotate: 'mcp-agent', keepOld: true })
    rmSync(join(dir, envFile))
    refuses(dir, { dropOld: 'mcp-agent' }, exitCodes.conflict, /cannot be told/, /--rotate mcp-agent/)
    secretsRun(dir, spec, { rotate: 'mcp-agent' })
    assert.equal(digestsOf(dir).get('mcp-agent')?.length, 1)
  })

  test('a password file comes back from the credentials, and of a password that only the ACL knows it is said', () => {
    const dir = made(perUser)
    const before = snapshot(dir)
    for (const file of [healthFile, 'mcp-agent.txt']) {
      rmSync(join(dir, file))
      assert.equal(secretsRun(dir, perUser).changed, false)
      assert.deepEqual(changedSince(before, dir), [])
    }
    rmSync(join(dir, envFile))
    rmSync(join(dir, 'mcp-agent.txt'))
    const { notes } = secretsRun(dir, perUser)
    assert.match(notes.join('\n'), /mcp-agent\.txt cannot be written: .*--rotate mcp-agent/)
    assert.equal(read(dir, aclFile), Buffer.from(before.get(aclFile)?.split(' ')[1] ?? '', 'hex').toString())
  })

  test('the ACL file comes back byte for byte', () => {
    const dir = made(perUser)
    const before = snapshot(dir)
    rmSync(join(dir, aclFile))
    assert.equal(secretsRun(dir, perUser).changed, true)
    assert.deepEqual(changedSince(before, dir), [])
  })
})

describe('half written', () => {
  /** The order of a run's files: plaintext first. */
  const order = (of: StackSpec) => {
    const own = Object.values(of.users).flatMap(({ password_file: file }) => (file === undefined ? [] : [file]))
    return [...own, envFile, aclFile]
  }

  test('a first run that was killed after any of its files goes on, and keeps what is written', () => {
    const whole = made(perUser)
    for (let count = 1; count < order(perUser).length; count++) {
      const dir = made(perUser)
      for (const file of order(perUser)) rmSync(join(dir, file))
      for (const file of order(perUser).slice(0, count)) writeFileSync(join(dir, file), readFileSync(join(whole, file)))
      secretsRun(dir, perUser)
      consistent(dir, perUser)
      for (const file of order(perUser).slice(0, count)) assert.equal(read(dir, file), read(whole, file))
    }
  })

  test('a rotation that was killed after any of its files is told, and done again', () => {
    for (const count of [1, 2]) {
      const dir = made()
      const rotated = made()
      for (const file of order(spec)) writeFileSync(join(rotated, file), readFileSync(join(dir, file)))
      secretsRun(rotated, spec, { rotate: 'healthcheck' })
      const lines = linesWithout(dir, spec, ['healthcheck'])
      for (const file of order(spec).slice(0, count)) writeFileSync(join(dir, file), readFileSync(join(rotated, file)))
      refuses(dir, {}, exitCodes.conflict, /healthcheck/, /--rotate healthcheck/)
      secretsRun(dir, spec, { rotate: 'healthcheck' })
      consistent(dir, spec)
      assert.deepEqual(linesWithout(dir, spec, ['healthcheck']), lines)
    }
  })

  test('a directory that cannot be written to leaves everything as it was', async () => {
    const dir = made()
    for (const change of [{ rotate: 'healthcheck' }, { force: true }])
      await unwritable(dir, () =>
        refuses(dir, change, exitCodes.failed, /cannot write .*: this user may not/, /same command/),
      )
    const none = newDir()
    writeFileSync(dirname(none), '')
    refuses(none, {}, exitCodes.failed, /cannot make .*: /, /same command/)
  })

  test('users that are none, and directories with nothing to rotate', () => {
    const dir = made()
    refuses(dir, { rotate: 'mcp-agnet' }, exitCodes.usage, /no user mcp-agnet/, /mean mcp-agent/)
    refuses(dir, { dropOld: 'default' }, exitCodes.usage, /no user default/, /Users: /)
    refuses(newDir(), { rotate: 'mcp-agent' }, exitCodes.usage, /no secrets in .* to change/, /valkeep stack secrets/)
  })
})

type Step =
  | { do: 'run' | 'force' | 'no-env' | 'no-acl' }
  | { do: 'rotate' | 'keep' | 'drop' | 'no-file'; user: string }
  | { do: 'spec'; of: number }

const fifth = { keys: ['~{prefix}:jobs:*'], commands: ['+get'], env: 'JOBS_PASS' }
const specs: StackSpec[] = [spec, perUser, { ...perUser, users: { ...perUser.users, jobs: fifth } }]

test('after any sequence of runs and losses every user keeps a password, and only who was rotated gets another', (t) => {
  const user = fc.constantFrom(...Object.keys(spec.users))
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constantFrom('run' as const, 'force' as const, 'no-env' as const, 'no-acl' as const) }),
    fc.record({ do: fc.constantFrom('rotate' as const, 'keep' as const, 'drop' as const, 'no-file' as const), user }),
    fc.record({ do: fc.constant('spec' as const), of: fc.nat({ max: specs.length - 1 }) }),
  )
  const property = fc.property(fc.array(step, { minLength: 2, maxLength: 8 }), (steps) => {
    const dir = made()
    let of = spec
    for (const one of steps) {
      if (one.do === 'spec') of = specs[one.of] ?? spec
      else if (one.do === 'no-env') rmSync(join(dir, envFile), { force: true })
      // With both gone a password is lost for good, as it should be.
      else if (one.do === 'no-acl' && existsSync(join(dir, envFile))) rmSync(join(dir, aclFile))
      else if (one.do === 'no-file') rmSync(join(dir, of.users[one.user]?.password_file ?? '-'), { force: true })
      const who = 'user' in one && one.do !== 'no-file' ? one.user : undefined
      const before = snapshot(dir)
      const digests = existsSync(join(dir, aclFile)) ? digestsOf(dir) : undefined
      try {
        secretsRun(dir, of, {
          force: one.do === 'force',
          rotate: one.do === 'rotate' || one.do === 'keep' ? who : undefined,
          keepOld: one.do === 'keep',
          dropOld: one.do === 'drop' ? who : undefined,
        })
      } catch (error) {
        assert.ok(error instanceof CliError && error.exitCode === exitCodes.conflict, String(error))
        // A file of one's own that stack.yaml named no longer while its user was rotated is there still.
        const isStale = steps.some(({ do: what }) => what === 'spec')
        assert.match(error.message, isStale ? /cannot be told|two passwords|not the one in the ACL/ : /cannot be told/)
        assert.deepEqual(changedSince(before, dir), [])
        continue
      }
      consistent(dir, of)
      if (one.do === 'force' || digests === undefined) continue
      for (const [name, now] of digestsOf(dir)) {
        const then = digests.get(name)
        if (then === undefined) continue
        if (name !== who) assert.deepEqual(now, then, `${name} after ${JSON.stringify(one)}`)
        else if (one.do === 'keep') assert.deepEqual(now.slice(1), then)
        else if (one.do === 'drop') assert.ok(now.length === 1 && then.includes(now[0] ?? ''))
        else assert.ok(now.length === 1 && !then.includes(now[0] ?? ''))
      }
    }
  })
  fc.assert(property, { seed: seedOf(t), numRuns: propertyRuns(40) })
})

test('the program says what is to be done and no password', async () => {
  const dir = dirname(newDir())
  mkdirSync(dir)
  const env = { PATH: process.env['PATH'] ?? '', HOME: dir }
  const run = async (status: number, ...args: string[]): Promise<string> => {
    const words = ['--disable-warning=ExperimentalWarning', entry, 'stack', 'secrets', ...args]
    const result = await finished(spawn(process.execPath, words, { cwd: dir, env }))
    assert.equal(result.status, status, result.stderr)
    const text = result.stdout + result.stderr
    for (const password of credentials(join(dir, 'secrets')).values()) assert.ok(!text.includes(password))
    return text
  }
  assert.match(await run(0), /wrote secrets\/valkey_users\.acl/)
  assert.match(await run(0), /kept secrets\/valkey_users\.acl/)
  const rotated = await run(0, '--rotate', 'mcp-agent', '--keep-old')
  assert.match(rotated, /only by a restart/)
  assert.match(rotated, /secrets --drop-old mcp-agent --apply/)
  assert.match(await run(exitCodes.usage, '--keep-old'), /--keep-old goes with --rotate/)
  assert.match(await run(exitCodes.usage, '--rotate', 'mcp-agent', '--drop-old', 'mcp-agent'), /not both/)
})
