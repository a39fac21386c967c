/** The chart's scripts: shellcheck has nothing to say, busybox reads them, and `helm test` tells a sound server from an open one. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { chartDir, chartFile } from '../support/chart.ts'
import { freePort } from '../support/free-port.ts'
import { requirePart, valkeyBinaries } from '../support/parts.ts'
import { startRawValkey } from '../support/raw-valkey.ts'

const scriptsDir = join(chartDir, 'files')
const scripts = readdirSync(scriptsDir).filter((name) => name.endsWith('.sh'))
assert.ok(scripts.length > 10)

/**
 * Not followed: the path of what is sourced is only known when a script runs; so what it sets, and what the pod's environment sets, looks
 * unused or unset. HOSTNAME is the pod's own.
 */
const exceptions = 'SC1090,SC1091,SC2034,SC2153,SC2154,SC3028'

test('shellcheck has nothing to say about any script of the chart', (t) => {
  const shellcheck = requirePart(t, 'shellcheck')
  if (shellcheck === undefined) return
  for (const name of scripts) {
    const all = [`--exclude=${exceptions}`, '--severity=warning', join(scriptsDir, name)]
    const said: string = execFileSync(shellcheck, all, { encoding: 'utf8' })
    assert.equal(said, '', name)
  }
})

test('the shell of the image, busybox, reads every script', (t) => {
  const busybox = requirePart(t, 'busybox')
  if (busybox === undefined) return
  for (const name of scripts) execFileSync(busybox, ['sh', '-n', join(scriptsDir, name)])
})

test('every script begins with what it is for', () => {
  for (const name of scripts) {
    const [first = '', second = ''] = chartFile(`files/${name}`).split('\n')
    const about = first.startsWith('#!') ? second : first
    assert.match(about, /^# .*\w{3}/, name)
  }
})

const run = promisify(execFile)
const password = 'a-password'

/** Runs files/test.sh as in a pod, against one server whose default user has these rules. */
async function helmTest(t: TestContext, rules: string): Promise<{ passed: boolean; said: string } | undefined> {
  const cli = requirePart(t, 'valkey-cli')
  const binary = valkeyBinaries()[0]?.path
  if (cli === undefined || binary === undefined) return undefined
  const dir = mkdtempSync(join(tmpdir(), 'vkchart-'))
  t.after(() => rmSync(dir, { recursive: true }))
  const digest = createHash('sha256').update(password).digest('hex')
  writeFileSync(
    join(dir, 'users.acl'),
    `user default on ${rules.replace('DIGEST', digest)} ~* &* +@all\nuser judge on >judge +@all\n`,
  )
  mkdirSync(join(dir, 'auth'))
  for (const name of ['default', 'valkey-system']) writeFileSync(join(dir, 'auth', name), password)
  const port = await freePort()
  const server = await startRawValkey({
    binary,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--aclfile', join(dir, 'users.acl')],
    auth: { username: 'judge', password: 'judge' },
  })
  t.after(() => server.stop())
  const env = {
    ...process.env,
    ARCHITECTURE: 'standalone',
    SET: 'x',
    SERVICE: '127.0.0.1',
    DOMAIN: 'd',
    PODS: '1',
    PORT: String(port),
    TLS: 'no',
    CLIENT_PORT: String(port),
    CLIENT_TLS: 'no',
    AUTH: 'yes',
    HOSTNAME: 'test',
    AUTH_DIR: join(dir, 'auth'),
    TEST_SECONDS: '1',
  }
  const answer = run('sh', [join(scriptsDir, 'test.sh')], { env })
  return answer.then(
    ({ stderr }) => ({ passed: true, said: stderr }),
    (error: { stderr: string }) => ({ passed: false, said: error.stderr }),
  )
}

test('helm test passes where the default user needs its password, and can write and read', async (t) => {
  const outcome = await helmTest(t, '#DIGEST')
  if (outcome === undefined) return
  assert.ok(outcome.passed, outcome.said)
  assert.match(outcome.said, /eight keys were set and read back/)
})

test('helm test fails where the default user is open', async (t) => {
  const outcome = await helmTest(t, 'nopass')
  if (outcome === undefined) return
  assert.equal(outcome.passed, false)
  assert.match(outcome.said, /a command without a password was not refused/)
})

test('helm test fails where the password is another, and does not tell it', async (t) => {
  const outcome = await helmTest(t, '>another')
  if (outcome === undefined) return
  assert.equal(outcome.passed, false)
  assert.match(outcome.said, /WRONGPASS/)
  assert.ok(!outcome.said.includes(password))
})
