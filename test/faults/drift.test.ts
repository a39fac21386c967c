/** What somebody changed behind the platform's back is mended, and no healthy client notices. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, chmodSync, cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import { app, type Instance, makeKillablePlatform } from '../support/killable-platform.ts'
import { processesIn } from '../support/left-behind.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { endpointOf, login, runId } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'
import { makeSweepMark } from './sweep-mark.ts'

const platform = makeKillablePlatform({ flags: ['--sweep-interval-s', '0.5'] })
let instance: Instance
let still: Instance
let client: ValkeyConnection
let run = ''
let server: ReturnType<typeof platform.serverOf>

before(async () => {
  await platform.start()
  still = await platform.make('still')
  instance = await platform.make('drifting')
  server = platform.serverOf(instance.id)
  client = await login(await endpointOf(platform, instance.id), app)
  run = await runId(client)
  // Saved by the server once, the aclfile is spelled as it will be after a repair.
  await asAdmin('ACL', 'SAVE')
})
after(async () => {
  await client?.close()
  await platform.remove()
})

const asAdmin = async (...command: string[]) => {
  const { layout, adminPassword } = server
  const socket = { path: layout.socket }
  await using admin = await connect({ socket, username: 'valkeep-admin', password: adminPassword, timeoutMs: 5_000 })
  return await admin.call(command)
}

type Drift = {
  /** What somebody does. @returns whether the platform has undone it */
  make(): Promise<() => boolean | Promise<boolean>> | (() => boolean | Promise<boolean>)
  note: RegExp
}

/** A file is changed, and means again what it did: valkey saves users in an order of its own. */
const file = (path: () => string, change: (path: string) => void, note: RegExp): Drift => ({
  make() {
    const lines = () => readFileSync(path(), 'utf8').split('\n').toSorted().join('\n')
    const before = lines()
    change(path())
    return () => existsSync(path()) && lines() === before
  },
  note,
})

const aclLine = async (name: string) =>
  ((await asAdmin('ACL', 'LIST')) as string[]).find((line) => line.startsWith(`user ${name} `))
const directive = async (name: string) => (await asAdmin('CONFIG', 'GET', name)) as Record<string, string>

const drifts: Record<string, Drift> = {
  'a changed valkey.conf': file(
    () => server.layout.conf,
    (path) => writeFileSync(path, readFileSync(path, 'utf8').replace(/^maxmemory .*$/m, 'maxmemory 1gb')),
    /files differ: conf/,
  ),
  'a directive added to valkey.conf': file(
    () => server.layout.conf,
    (path) => appendFileSync(path, 'requirepass let-me-in\n'),
    /files differ: conf/,
  ),
  'a removed valkey.conf': file(() => server.layout.conf, rmSync, /files differ: conf/),
  'a user added to the aclfile': file(
    () => server.layout.acl,
    (path) => appendFileSync(path, 'user stranger on nopass ~* &* +@all\n'),
    /the aclfile differs/,
  ),
  'a removed aclfile': file(() => server.layout.acl, rmSync, /the aclfile differs/),
  'a removed certificate': file(() => server.layout.cert, rmSync, /files differ: tls/),
  'another key': file(
    () => server.layout.key,
    (path) => writeFileSync(path, 'no key'),
    /files differ: tls/,
  ),
  'a file open to others': {
    make() {
      chmodSync(server.layout.key, 0o644)
      return () => (statSync(server.layout.key).mode & 0o777) === 0o600
    },
    note: /files differ: modes/,
  },
  'a directory open to others': {
    make() {
      chmodSync(server.layout.dataDir, 0o755)
      return () => (statSync(server.layout.dataDir).mode & 0o777) === 0o700
    },
    note: /files differ: modes/,
  },
  'a user added at run time': {
    async make() {
      await asAdmin('ACL', 'SETUSER', 'stranger', 'on', 'nopass', '+@all', '~*')
      return async () => (await aclLine('stranger')) === undefined
    },
    note: /users differ: stranger/,
  },
  'a removed user of the platform': {
    async make() {
      await asAdmin('ACL', 'DELUSER', 'valkeep-monitor')
      return async () => (await aclLine('valkeep-monitor')) !== undefined
    },
    note: /users differ: valkeep-monitor/,
  },
  'widened rights, saved': {
    async make() {
      const before = await aclLine('app')
      await asAdmin('ACL', 'SETUSER', 'app', '+@all')
      await asAdmin('ACL', 'SAVE')
      return async () => (await aclLine('app')) === before
    },
    note: /users differ: app/,
  },
  'a default user switched on': {
    async make() {
      await asAdmin('ACL', 'SETUSER', 'default', 'on', 'nopass', '+@all', '~*')
      return async () => (await aclLine('default'))?.startsWith('user default off ') ?? false
    },
    note: /users differ: default/,
  },
  'a setting changed by CONFIG SET': {
    async make() {
      await asAdmin('CONFIG', 'SET', 'maxmemory', '1gb')
      return async () => (await directive('maxmemory'))['maxmemory'] === String(16 * 2 ** 20)
    },
    note: /settings differ: maxmemory/,
  },
  'persistence switched off': {
    async make() {
      await asAdmin('CONFIG', 'SET', 'appendonly', 'no')
      return async () => (await directive('appendonly'))['appendonly'] === 'yes'
    },
    note: /settings differ: appendonly/,
  },
}

async function mends(t: TestContext, drift: Drift): Promise<void> {
  const before = (await platform.operations(instance.id)).length
  const undone = await drift.make()
  const begun = performance.now()
  await until(undone, 'the drift to be mended')
  t.diagnostic(`mended after ${Math.round(performance.now() - begun)} ms`)
  const [newest, ...older] = await until(async () => {
    const operations = await platform.operations(instance.id)
    return operations[0]?.status === 'succeeded' && operations.length > before && operations
  }, 'the repair to be recorded')
  assert.equal(older.length, before, 'one repair')
  assert.equal(newest?.kind, 'repair')
  assert.match(newest?.note ?? '', drift.note)
  assert.ok(newest?.steps.every(({ kind }) => kind !== 'stop' && kind !== 'start'))
  assert.equal(await client.call(['PING']), 'PONG', 'the client is still connected')
  assert.equal(await runId(client), run)
  const { status, health } = await platform.instance(instance.id)
  assert.deepEqual([status, health], ['active', 'healthy'])
}

for (const [name, drift] of Object.entries(drifts)) test(name, (t) => mends(t, drift))

test('where nothing drifted nothing happens', async () => {
  const mark = await makeSweepMark(platform)
  const before = (await platform.operations(instance.id)).length
  const row = await platform.instance(still.id)
  for (let round = 0; round < 3; round++) await mark()
  assert.equal((await platform.operations(instance.id)).length, before)
  assert.deepEqual(
    (await platform.operations(still.id)).map(({ kind }) => kind),
    ['create'],
  )
  assert.deepEqual(await platform.instance(still.id), row, 'its row is untouched')
})

/** Runs a server in a directory of the platform's, as a platform that was put back from a copy would find it. */
async function runIn(dir: string): Promise<number> {
  const cwd = join(dir, 'data')
  const binary = valkeyBinaries().at(-1)?.path ?? assert.fail('no valkey-server')
  const child = spawn(binary, [join(dir, 'valkey.conf')], { cwd, detached: true, stdio: 'ignore' })
  child.unref()
  await until(() => processesIn(dir).length === 1, 'the server to run')
  return child.pid ?? assert.fail()
}

test('a server of a deleted instance is removed, and its operations tell of it', async () => {
  const { id } = await platform.make('ghost')
  const { dir } = platform.serverOf(id).layout
  const copy = join(platform.dir, 'copy')
  cpSync(dir, copy, { recursive: true })
  await platform.done('DELETE', `/valkey-instances/${id}`)
  cpSync(copy, dir, { recursive: true })
  rmSync(join(dir, 'server.json'), { force: true })
  const pid = await runIn(dir)
  await until(() => processesIn(dir).length === 0 && !existsSync(dir), 'the stray to be removed')
  const [repair] = await until(async () => {
    const operations = await platform.operations(id)
    return operations[0]?.kind === 'repair' && operations
  }, 'its operation')
  assert.equal(repair?.status, 'succeeded')
  assert.match(repair?.note ?? '', new RegExp(`still there \\(process ${pid}\\)`))
  assert.deepEqual(
    repair?.steps.map(({ kind }) => kind),
    ['remove'],
  )
})

test('a server that the platform never heard of is left alone', async () => {
  const { id } = await platform.make('template')
  const { dir } = platform.serverOf(id).layout
  const stranger = join(platform.serversDir, `srv_${randomBytes(16).toString('hex')}`)
  cpSync(dir, stranger, { recursive: true })
  rmSync(join(stranger, 'server.json'), { force: true })
  const conf = join(stranger, 'valkey.conf')
  const text = readFileSync(conf, 'utf8').replaceAll(dir, stranger)
  writeFileSync(
    conf,
    text.replace(/^unixsocket .*$/m, `unixsocket ${stranger}/own.sock`).replace(/^tls-port .*$/m, 'tls-port 0'),
  )
  const pid = await runIn(stranger)
  try {
    const mark = await makeSweepMark(platform)
    for (let round = 0; round < 3; round++) await mark()
    assert.deepEqual(processesIn(stranger), [pid])
    const told = platform
      .log()
      .split('\n')
      .filter((line) => line.includes(stranger.slice(-36)))
    assert.equal(told.length, 1, 'it is told once')
  } finally {
    process.kill(pid, 'SIGKILL')
    await until(() => processesIn(stranger).length === 0, 'the stranger to be gone')
  }
})
