/**
 * The chart's architecture `standalone` as Helm renders it, in pods without Kubernetes: on a laptop, and as an ordinary user. Those pods themselves:
 * they leave nothing behind.
 */
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { shellQuote } from '../../src/domain/shell-quote.ts'
import { assertKept, startWriter, writesOn } from '../support/chart-writes.ts'
import { requireLocalPods, sharedLocalPods } from '../support/local-pods.ts'
import { installLocal, type LocalRelease } from '../support/local-release.ts'
import { partsDir } from '../support/parts.ts'
import { NO_TRACES, traces } from '../support/traces.ts'
import { until } from '../support/until.ts'

const standalone = (over = {}) => ({ architecture: 'standalone', ...over })
const serverPid = (release: LocalRelease) => release.exec(0, 'cat', '/run/valkey/pid')
const size = (release: LocalRelease) => release.ask(0, 'DBSIZE')

/** What the server tells who logs in as the user `default`. */
const login = (release: LocalRelease, password: string): Promise<string> =>
  release.exec(
    0,
    'valkey-cli',
    '--tls',
    '--cacert',
    '/etc/valkey/tls/ca.crt',
    '-p',
    '6380',
    'AUTH',
    'default',
    password,
  )

describe('architecture standalone, without Kubernetes', { concurrency: true, timeout: 120_000 }, () => {
  const localPods = sharedLocalPods()
  const running = async (t: TestContext, name: string, over = {}) => {
    const pods = await localPods(t)
    if (pods === undefined) return undefined
    const release = await installLocal(pods, name, standalone(over))
    await release.start(0)
    await release.ready()
    return { pods, release }
  }

  test('as an application sees it: kill -9 loses nothing', async (t) => {
    const it = await running(t, 'killed')
    if (it === undefined) return
    const { pods, release } = it
    assert.match(await release.runTask('test'), /eight keys were set and read back .*\n.* passed$/m)
    const writer = await startWriter(pods, release.target('plain'))
    for (const which of ['first', 'second']) {
      await release.signal(0, 'KILL')
      assertKept(t, `the ${which} kill -9`, await writesOn(writer))
    }
    assertKept(t, 'in all', await writer.stop())
    assert.match(release.pod(0).log('valkey'), /the server ended \(137\)/)
  })

  test('each probe tells how a server is, and one that hangs is started anew', async (t) => {
    const it = await running(t, 'hung')
    if (it === undefined) return
    const { release } = it
    await release.ask(0, 'SET', 'kept', 'value')
    const all = () => Promise.all((['startup', 'liveness', 'readiness'] as const).map((one) => release.probe(0, one)))
    assert.deepEqual(await all(), [undefined, undefined, undefined])
    const pid = await serverPid(release)
    await release.exec(0, 'kill', '-STOP', pid)
    const [startup, , readiness] = await all()
    assert.ok(startup !== undefined)
    assert.match(readiness ?? '', /^no answer:/)
    const looks: (string | undefined)[] = []
    const ended = async () => {
      looks.push(await release.probe(0, 'liveness'))
      return (await serverPid(release)) !== pid
    }
    await until(ended, () => `the end of a server that hangs: ${JSON.stringify(looks)}`, 60_000)
    assert.ok(looks.length >= 3, `not at the first look: ${JSON.stringify(looks)}`)
    assert.match(looks.join('\n'), /nothing done since the last look/)
    await release.ready()
    assert.deepEqual(await all(), [undefined, undefined, undefined])
    assert.equal(await release.ask(0, 'GET', 'kept'), 'value')
  })

  test('an append-only file that is switched on over a dump has what the dump has', async (t) => {
    const without = (appendOnly: boolean) => ({ persistence: { appendOnly } })
    const it = await running(t, 'switched', without(false))
    if (it === undefined) return
    const { release } = it
    await release.ask(0, 'EVAL', "for i = 1, 5000 do redis.call('SET', 'key:' .. i, i) end", '0')
    const saves = /rdb_saves:(\d+)/.exec(await release.ask(0, 'INFO', 'persistence'))?.[1]
    const pod = release.pod(0)
    await release.remove(0)
    assert.equal(saves, '0')
    assert.match(pod.log('valkey'), /saving\n.*saved: ok/s, 'preStop waits for the save')
    assert.equal(pod.code('valkey'), 0)
    await release.upgrade(standalone(without(true)))
    await release.start(0)
    await release.ready()
    assert.equal(await size(release), '5000')
    assert.match(await release.ask(0, 'CONFIG', 'GET', 'appendonly'), /\nyes$/)
    await release.ask(0, 'SET', 'key:last', 'x')
    await release.signal(0, 'KILL')
    await until(async () => (await size(release)) === '5001', 'everything to be there after a kill')
  })

  test('a server takes a new password by itself, and the one before is valid for a while', async (t) => {
    const it = await running(t, 'rotated')
    if (it === undefined) return
    const { release } = it
    const former = release.secret('rotated', 'password')
    const next = release.secret('rotated', 'password', 'another password "$(x)')
    assert.equal(await login(release, former), 'OK')
    const takes = async () => (await login(release, next)) === 'OK'
    await until(takes, () => `the new password: ${release.pod(0).log('valkey')}`, 30_000, 200)
    assert.equal(await login(release, former), 'OK', 'the one before')
    await until(
      async () => (await login(release, former)).startsWith('WRONGPASS'),
      'the end of the one before',
      15_000,
      200,
    )
    assert.equal(await login(release, next), 'OK')
    await release.signal(0, 'KILL')
    await release.ready()
    assert.equal(await login(release, next), 'OK')
    assert.match(await login(release, former), /^WRONGPASS/)
  })

  test('all of it as an ordinary user', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('this is no root: all of the above is it')
    if (requireLocalPods(t) === undefined) return
    const place = mkdtempSync(join(tmpdir(), 'vku-'))
    t.after(() => rmSync(place, { recursive: true }))
    chmodSync(place, 0o755)
    // The clone and the parts may lie where only root comes: seen here they do not.
    const clone = resolve(import.meta.dirname, '../..')
    const shown = { clone, parts: partsDir() }
    for (const name of Object.keys(shown)) mkdirSync(join(place, name))
    const mounts = Object.entries(shown).map(
      ([name, from]) => `mount --bind ${shellQuote(from)} ${shellQuote(join(place, name))}`,
    )
    const node = process.execPath.replace(`${clone}/`, `${join(place, 'clone')}/`)
    const file = join(place, 'clone', 'test', 'integration', 'chart-local.test.ts')
    const only = ['--test', '--test-reporter=tap', '--test-name-pattern=as an application']
    const person = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const words = [...person, node, '--disable-warning=ExperimentalWarning', ...only, file]
    const script = `${mounts.join(' && ')} && cd / && exec "$@"`
    const env = {
      PATH: process.env['PATH'],
      VALKEEP_PARTS: join(place, 'parts'),
      TMPDIR: '/tmp',
      CI: process.env['CI'],
    }
    const alone = ['-c', 'exec unshare --mount sh -c "$0" sh "$@"', script]
    const ended = promisify(execFile)('sh', [...alone, ...words], { env })
    const stdout = await ended.then(
      (all) => all.stdout,
      (error: { stdout: string }) => error.stdout,
    )
    if (stdout.includes('# SKIP')) return t.skip(/# SKIP (.*)/.exec(stdout)?.[1])
    assert.match(stdout, /^ +ok \d+ - as an application sees it: kill -9 loses nothing$/m)
    assert.match(stdout, /^# pass 1\n# fail 0$/m)
  })

  test('nothing is left of the pods of a test that is killed', async (t) => {
    if (requireLocalPods(t) === undefined) return
    const module = (name: string) => JSON.stringify(new URL(`../support/${name}.ts`, import.meta.url).href)
    const code = `import { requireLocalPods, startLocalPods } from ${module('local-pods')}
      import { installLocal } from ${module('local-release')}
      const pods = await startLocalPods(requireLocalPods({}))
      const release = await installLocal(pods, 'left', { architecture: 'standalone' })
      await release.start(0)
      await release.ready()
      console.log(pods.dir)`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const [dir] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const { processes, mounts, directory } = traces(dir)
    assert.ok(processes.length > 3 && mounts.length > 0 && directory)
    child.kill('SIGKILL')
    const left = () => JSON.stringify(traces(dir))
    await until(() => left() === JSON.stringify(NO_TRACES), left, 20_000)
  })
})
