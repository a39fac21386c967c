/** files/start.sh of the chart against a server of this machine: the data outlives kills and every turn of the append-only file. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { chartDir } from '../support/chart.ts'
import { freePort } from '../support/free-port.ts'
import { requirePart } from '../support/parts.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)
const KEYS = 20_000

type Pod = {
  dir: string
  env: Record<string, string>
  shell: string
  /** Runs start.sh until the test ends it; what it says goes to `log`. */
  start(appendOnly: 'yes' | 'no'): ChildProcess
  ask(...words: string[]): Promise<string>
  log(): string
}

/** The directories of a pod, with what the volumes of one hold. */
async function makePod(t: TestContext, shell: string): Promise<Pod> {
  const dir = mkdtempSync(join(tmpdir(), 'vkc-start-'))
  for (const name of ['data', 'run', 'auth', 'conf']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'auth', 'valkey-system'), 'secret\n')
  writeFileSync(join(dir, 'conf', 'users'), '')
  const port = String(await freePort())
  const env = {
    ...(process.env as Record<string, string>),
    ARCHITECTURE: 'standalone',
    HOSTNAME: 'x-0',
    SET: 'x',
    DOMAIN: 'x-headless.x.svc.cluster.local',
    PODS: '1',
    PORT: port,
    TLS: 'no',
    AUTH: 'no',
    DATA: join(dir, 'data'),
    RUN: join(dir, 'run'),
    AUTH_DIR: join(dir, 'auth'),
    CONF_DIR: join(dir, 'conf'),
  }
  let said = ''
  const running = new Set<ChildProcess>()
  t.after(async () => {
    for (const child of running) await stop(child)
    rmSync(dir, { recursive: true })
  })
  return {
    dir,
    env,
    shell,
    log: () => said,
    start(appendOnly) {
      const file = join(dir, 'run', 'users.acl')
      const data = join(dir, 'data')
      // Of a new pod it is empty.
      for (const name of readdirSync(join(dir, 'run'))) rmSync(join(dir, 'run', name))
      const socket = `unixsocket ${join(dir, 'run', 'valkey.sock')}`
      const conf = [
        'bind 127.0.0.1',
        `port ${port}`,
        socket,
        `aclfile ${file}`,
        `dir ${data}`,
        `appendonly ${appendOnly}`,
      ]
      writeFileSync(join(dir, 'conf', 'valkey.conf'), `${conf.join('\n')}\nsave ""\n`)
      const [program = '', ...args] = shell.split(' ')
      const child = spawn(program, [...args, join(chartDir, 'files', 'start.sh')], { env, detached: true })
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => {
          said += chunk.toString()
        })
      running.add(child)
      child.once('exit', () => running.delete(child))
      return child
    },
    ask: async (...words) =>
      (
        await run('sh', ['-c', `. ${join(chartDir, 'files', 'lib.sh')}; here "$@"`, 'sh', ...words], { env })
      ).stdout.trim(),
  }
}

const keysOf = async (pod: Pod) => Number(await pod.ask('DBSIZE').catch(() => '-1'))

const loaded = (pod: Pod) =>
  until(async () => (await keysOf(pod)) === KEYS, `all keys: ${pod.log().slice(-2_000)}`, 60_000)

/** As the kubelet: SIGTERM to the first process, and with it ends all of the container. */
async function stop(child: ChildProcess): Promise<void> {
  const [exited, closed] = [once(child, 'exit'), once(child, 'close')]
  child.kill('SIGTERM')
  await exited
  process.kill(-(child.pid ?? assert.fail()), 'SIGKILL')
  await closed
}

const manifest = (pod: Pod) => {
  const dir = join(pod.dir, 'data', 'appendonlydir')
  return existsSync(dir) && readdirSync(dir).some((name) => name.endsWith('.manifest'))
}
const switching = (pod: Pod) => existsSync(join(pod.dir, 'run', 'switching'))

/** 0 where none was started yet. */
const serverOf = (pod: Pod): number => {
  const file = join(pod.dir, 'run', 'pid')
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
}

const killServer = (pod: Pod): boolean => process.kill(serverOf(pod) || assert.fail('no server'), 'SIGKILL')

/** A volume with a dump and no append-only file. */
async function withDump(pod: Pod): Promise<void> {
  const child = pod.start('no')
  await until(
    async () => (await keysOf(pod)) === 0,
    () => `an empty server: ${pod.log()}`,
    30_000,
  )
  const lua = `for i = 1, ${KEYS} do redis.call('SET', 'k' .. i, string.rep(i % 10, 2000)) end`
  await pod.ask('EVAL', lua, '0')
  assert.equal(await pod.ask('SAVE'), 'OK')
  await stop(child)
}

/** Points at which a server is killed, in the order in which they come. */
const points: [string, (pod: Pod) => boolean | Promise<boolean>][] = [
  ['before it answers', (pod) => serverOf(pod) > 0],
  ['while it writes the file', (pod) => readdirSync(join(pod.dir, 'data', 'appendonlydir')).length > 1],
  ['when the file is there', manifest],
]

for (const shell of ['sh', 'busybox sh'])
  test(`an append-only file that is switched on over a dump, and off, keeps every key (${shell})`, async (t) => {
    if (requirePart(t, 'valkey-8.0') === undefined || requirePart(t, 'busybox') === undefined) return
    const pod = await makePod(t, shell)
    await withDump(pod)
    // What a server leaves that is killed when its first append-only file is nearly there.
    mkdirSync(join(pod.dir, 'data', 'appendonlydir'))
    writeFileSync(join(pod.dir, 'data', 'appendonlydir', 'temp-appendonly.aof.manifest'), '')
    let child = pod.start('yes')
    for (const [what, reached] of points) {
      await until(() => reached(pod), what, 60_000)
      killServer(pod)
      await loaded(pod)
    }
    await until(
      () => manifest(pod) && !switching(pod),
      () => `the switch: ${pod.log().slice(-2_000)}`,
      60_000,
    )
    await stop(child)
    child = pod.start('yes')
    await loaded(pod)
    assert.equal(await pod.ask('SET', 'k1', 'changed'), 'OK')
    killServer(pod)
    await loaded(pod)
    assert.equal(await pod.ask('GET', 'k1'), 'changed', 'it is the append-only file that is read')
    await stop(child)

    child = pod.start('no')
    await until(() => switching(pod), 'the switch', 30_000)
    killServer(pod)
    await loaded(pod)
    await until(
      () => !manifest(pod) && !switching(pod),
      () => `the switch: ${pod.log().slice(-2_000)}`,
      60_000,
    )
    killServer(pod)
    await loaded(pod)
    assert.equal(await pod.ask('GET', 'k1'), 'changed')
    await stop(child)
  })

test('nobody logs in as a user whose password is not there, or empty', async (t) => {
  if (requirePart(t, 'valkey-8.0') === undefined || requirePart(t, 'valkey-cli') === undefined) return
  const pod = await makePod(t, 'sh')
  pod.env['AUTH'] = 'yes'
  writeFileSync(join(pod.dir, 'auth', 'default'), '\n')
  writeFileSync(join(pod.dir, 'auth', 'user-app'), 'of-the-app\n')
  writeFileSync(join(pod.dir, 'conf', 'users'), 'app ~* +@all\nlater ~* +@all\n')
  const child = pod.start('no')
  await until(async () => (await keysOf(pod)) === 0, pod.log, 30_000)
  const login = (user: string, password: string) => pod.ask('AUTH', user, password)
  assert.equal(await login('app', 'of-the-app'), 'OK')
  for (const user of ['app', 'later', 'default']) assert.match(await login(user, ''), /^WRONGPASS/, user)
  const anybody = await run('valkey-cli', ['-s', join(pod.dir, 'run', 'valkey.sock'), 'GET', 'k1'])
  assert.match(anybody.stdout, /^NOAUTH/)
  assert.match(pod.log(), /the user later is off: there is no password/)
  await stop(child)
})
