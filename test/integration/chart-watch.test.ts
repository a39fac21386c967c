/** files/watch.sh of the chart: a running server takes the password of its volume, and forgets the one before after a while, whatever came between. */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { chartDir } from '../support/chart.ts'
import { requirePart, valkeyBinaries } from '../support/parts.ts'
import { startRawValkey } from '../support/raw-valkey.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const digest = (password: string) => createHash('sha256').update(password).digest('hex')

/** A server whose user `default` has the password `one`, with watch.sh beside it. */
async function watched(t: TestContext, binary: string) {
  const dir = mkdtempSync(join(tmpdir(), 'vkwatch-'))
  for (const name of ['auth', 'conf', 'tls']) mkdirSync(join(dir, name))
  const give = (password: string) => writeFileSync(join(dir, 'auth', 'default'), `${password}\n`)
  give('one')
  writeFileSync(join(dir, 'auth', 'valkey-system'), 'system')
  writeFileSync(join(dir, 'conf', 'users'), '')
  const users = [`user default on #${digest('one')} ~* &* +@all`, `user valkey-system on #${digest('system')} +@all`]
  writeFileSync(join(dir, 'users.acl'), users.map((user) => `${user}\n`).join(''))
  const server = await startRawValkey({
    binary,
    args: ['--aclfile', join(dir, 'users.acl')],
    auth: { username: 'valkey-system', password: 'system' },
  })
  symlinkSync(server.socket, join(dir, 'valkey.sock'))
  const env = {
    ...process.env,
    AUTH: 'yes',
    TLS: 'no',
    SET: 'x',
    DOMAIN: 'd',
    HOSTNAME: 'x-0',
    RUN: dir,
    AUTH_DIR: join(dir, 'auth'),
    CONF_DIR: join(dir, 'conf'),
    TLS_DIR: join(dir, 'tls'),
    WATCH_SECONDS: '0.2',
    PASSWORD_GRACE: '2',
  }
  const child = spawn('sh', [join(chartDir, 'files', 'watch.sh')], { env, detached: true, stdio: 'ignore' })
  t.after(async () => {
    const ended = once(child, 'exit')
    process.kill(-(child.pid ?? assert.fail()), 'SIGKILL')
    await ended
    await server.stop()
    rmSync(dir, { recursive: true })
  })
  const valid = async (password: string) => {
    const env = { ...process.env, REDISCLI_AUTH: password }
    return (await run('valkey-cli', ['-s', server.socket, 'PING'], { env })).stdout.trim() === 'PONG'
  }
  return { give, valid }
}

test('a password that comes back before it is forgotten stays, and the one in between goes', async (t) => {
  const binary = valkeyBinaries()[0]?.path
  if (requirePart(t, 'valkey-cli') === undefined || binary === undefined) return
  const { give, valid } = await watched(t, binary)
  give('two')
  await until(() => valid('two'), 'the new password')
  assert.ok(await valid('one'), 'both for a while')
  give('one')
  await until(async () => !(await valid('two')), 'the password in between to be forgotten')
  assert.ok(await valid('one'))

  give('three')
  await until(() => valid('three'), 'the third password')
  await until(async () => !(await valid('one')), 'the first to be forgotten')
  assert.ok(await valid('three'))
})
