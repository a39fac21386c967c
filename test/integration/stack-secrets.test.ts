/** The secrets of a stack on disk: the source's properties 7, 8 and 9, and what rotation and a changed stack.yaml keep. */
import assert from 'node:assert/strict'
import { chmodSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { secretFiles } from '../../src/domain/stack/places.ts'
import { type StackSpec, stackSpecSchema } from '../../src/domain/stack/spec.ts'
import { sha256Hex } from '../../src/vault/random.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { changedSince, secretsRun, snapshot } from '../support/stack.ts'
import {
  consistent,
  credentials,
  digestsOf,
  linesWithout,
  made,
  newDir,
  read,
  seedOf,
} from '../support/stack-secrets.ts'

const spec = defaultSpec()
const userNames = Object.keys(spec.users)
const { acl: aclFile, env: envFile } = secretFiles
const healthFile = 'valkey_password.txt'

const name = fc
  .stringMatching(/^[a-z][a-z0-9_-]{0,10}$/)
  .filter((text) => text !== 'default' && !userNames.includes(text))

/** The default users, perhaps with files of their own, and up to four more. */
const anySpec = fc
  .tuple(fc.boolean(), fc.uniqueArray(name, { maxLength: 4 }), fc.boolean())
  .map(([perUserFiles, more, hasFiles]) => {
    const base = defaultSpec({ perUserFiles })
    const users = more.map((user, i) => {
      const file = hasFiles ? { password_file: `${user}.password` } : {}
      return [user, { keys: [`~{prefix}:${user}:*`], commands: ['+get'], env: `MORE_${i}`, ...file }] as const
    })
    return stackSpecSchema.parse({ ...base, users: { ...base.users, ...Object.fromEntries(users) } })
  })

describe('made', () => {
  test('properties 7, 8 and 9: distinct passwords of 32 letters and digits, their digests, modes 600', (t) => {
    const seen = new Set<string>()
    const masks = fc.constantFrom(0, 0o022, 0o077, 0o777)
    const property = fc.property(anySpec, masks, (of, mask) => {
      const dir = newDir()
      const before = process.umask(mask)
      try {
        secretsRun(dir, of)
      } finally {
        process.umask(before)
      }
      consistent(dir, of)
      const passwords = credentials(dir)
      assert.deepEqual(
        [...passwords.keys()],
        Object.values(of.users).map(({ env }) => env),
      )
      for (const password of passwords.values()) {
        assert.ok(!seen.has(password), 'a password of an earlier run')
        seen.add(password)
      }
      const files = Object.values(of.users).flatMap(({ env, password_file: file }) =>
        file === undefined ? [] : [[file, env]],
      )
      for (const [file = '', env = ''] of files) assert.equal(read(dir, file), `${passwords.get(env)}\n`)
      assert.deepEqual(readdirSync(dir).toSorted(), [aclFile, envFile, ...files.map(([file]) => file)].toSorted())
    })
    fc.assert(property, { seed: seedOf(t), numRuns: propertyRuns(60) })
  })

  test('the default set is the source’s: three files, four users, default off', () => {
    const dir = made()
    assert.deepEqual(readdirSync(dir).toSorted(), [envFile, healthFile, aclFile].toSorted())
    assert.deepEqual(
      [...credentials(dir).keys()],
      ['VALKEY_MCP_AGENT_PASS', 'VALKEY_MCP_ADMIN_PASS', 'VALKEY_LOG_WRITER_PASS', 'VALKEY_HEALTHCHECK_PASS'],
    )
    assert.match(read(dir, aclFile), /^user default off /)
    assert.equal(read(dir, healthFile), `${credentials(dir).get('VALKEY_HEALTHCHECK_PASS')}\n`)
  })

  test('repeated, nothing changes; modes that were changed are set right', () => {
    const dir = made()
    const before = snapshot(dir)
    const report = secretsRun(dir, spec)
    assert.equal(report.changed, false)
    assert.deepEqual(changedSince(before, dir), [])
    assert.deepEqual(
      report.files.map(({ action }) => action),
      ['kept', 'kept', 'kept'],
    )
    for (const file of readdirSync(dir)) chmodSync(join(dir, file), 0o644)
    secretsRun(dir, spec)
    assert.deepEqual(changedSince(before, dir), [])
  })
})

describe('changed', () => {
  const perUser = defaultSpec({ perUserFiles: true })

  test('one user’s rotation leaves the others byte for byte', () => {
    for (const user of userNames) {
      const dir = made(perUser)
      const [before, lines] = [snapshot(dir), linesWithout(dir, perUser, [user])]
      const [old, oldDigests] = [credentials(dir), digestsOf(dir)]
      assert.equal(secretsRun(dir, perUser, { rotate: user }).changed, true)
      consistent(dir, perUser)
      assert.deepEqual(linesWithout(dir, perUser, [user]), lines)
      const { env, password_file: file } = perUser.users[user] ?? assert.fail()
      assert.deepEqual(changedSince(before, dir), [aclFile, envFile, String(file)].toSorted())
      assert.notEqual(credentials(dir).get(env), old.get(env))
      assert.equal(digestsOf(dir).get(user)?.length, 1)
      assert.notDeepEqual(digestsOf(dir).get(user), oldDigests.get(user))
    }
  })

  test('--keep-old leaves the old password valid beside the new one, until --drop-old', () => {
    const dir = made()
    const user = 'mcp-agent'
    const passwordNow = () => sha256Hex(credentials(dir).get('VALKEY_MCP_AGENT_PASS') ?? '')
    const first = passwordNow()
    secretsRun(dir, spec, { rotate: user, keepOld: true })
    const second = passwordNow()
    assert.deepEqual(digestsOf(dir).get(user), [second, first])
    assert.equal(secretsRun(dir, spec).changed, false, 'and stays so')
    secretsRun(dir, spec, { rotate: user, keepOld: true })
    assert.deepEqual(digestsOf(dir).get(user), [passwordNow(), second, first])
    const lines = linesWithout(dir, spec, [user])
    const last = passwordNow()
    assert.equal(secretsRun(dir, spec, { dropOld: user }).changed, true)
    assert.deepEqual(digestsOf(dir).get(user), [last])
    assert.deepEqual(linesWithout(dir, spec, [user]), lines)
    assert.equal(secretsRun(dir, spec, { dropOld: user }).changed, false)
  })

  test('a rotation without --keep-old ends every earlier password', () => {
    const dir = made()
    secretsRun(dir, spec, { rotate: 'mcp-admin', keepOld: true })
    secretsRun(dir, spec, { rotate: 'mcp-admin' })
    assert.equal(digestsOf(dir).get('mcp-admin')?.length, 1)
  })

  test('--force makes every password anew', () => {
    const dir = made()
    const [before, digests] = [credentials(dir), digestsOf(dir)]
    secretsRun(dir, spec, { force: true })
    consistent(dir, spec)
    for (const [env, password] of before) assert.notEqual(credentials(dir).get(env), password)
    for (const user of userNames) assert.notDeepEqual(digestsOf(dir).get(user), digests.get(user))
  })

  test('a user added to stack.yaml gets a password, and one removed loses it; the others keep theirs', () => {
    const dir = made()
    const fifth = { keys: ['~{prefix}:jobs:*'], commands: ['+get'], env: 'JOBS_PASS', password_file: 'jobs.txt' }
    const wider: StackSpec = { ...spec, users: { ...spec.users, jobs: fifth } }
    const [before, lines] = [snapshot(dir), linesWithout(dir, spec, [])]
    assert.equal(secretsRun(dir, wider).changed, true)
    consistent(dir, wider)
    assert.deepEqual(linesWithout(dir, wider, ['jobs']), lines)
    assert.equal(read(dir, 'jobs.txt'), `${credentials(dir).get('JOBS_PASS')}\n`)
    rmSync(join(dir, 'jobs.txt'))
    assert.equal(secretsRun(dir, spec).changed, true)
    assert.deepEqual(changedSince(before, dir), [])
  })
})
