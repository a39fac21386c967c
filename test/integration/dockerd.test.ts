/** The Docker engine of the tests is a real one, and leaves nothing of itself on the machine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { type Dockerd, requireDocker, startDockerd } from '../support/dockerd.ts'
import { requirePart, VALKEY_VERSIONS } from '../support/parts.ts'
import { NO_TRACES, traces } from '../support/traces.ts'
import { until } from '../support/until.ts'

/** Looking for nothing proves nothing unless something was found before. */
function assertTraces(dir: string): void {
  const { processes, mounts, cgroups, directory } = traces(dir)
  assert.ok(processes.length > 3 && mounts.length > 0 && cgroups.length > 0 && directory, JSON.stringify(traces(dir)))
}

async function startValkey(engine: Dockerd, tag: string, ...options: string[]): Promise<string> {
  const id = await engine.docker('run', '--detach', ...options, tag, 'valkey-server', '--protected-mode', 'no')
  const ping = () => engine.docker('exec', id, 'valkey-cli', 'ping').catch(() => '')
  await until(async () => (await ping()) === 'PONG', 'Valkey in its container to answer', 30_000)
  return id
}

test('a Docker engine of a test runs Valkey, and nothing is left of it', { timeout: 120_000 }, async (t) => {
  const cli = requirePart(t, 'valkey-cli')
  if (cli === undefined || !requireDocker(t)) return
  const engine = await startDockerd()
  t.after(() => engine.stop())
  assert.match(await engine.docker('compose', 'version'), /^Docker Compose version /)

  await engine.importValkeyImage()
  const id = await startValkey(
    engine,
    'valkey/valkey:8-alpine',
    '--restart',
    'unless-stopped',
    '--publish',
    '6390:6379',
  )
  assert.equal(await engine.inside(cli, '-p', '6390', 'ping'), 'PONG', 'by a published port')
  assert.equal(await engine.docker('exec', id, 'stat', '-c', '%u:%g', '/proc/1', '/data'), '999:1000\n999:1000')
  assert.match(await engine.docker('exec', id, 'timeout', '5', 'sh', '-c', 'busybox'), /^BusyBox /)

  const inspect = (what: string) => engine.docker('inspect', '--format', `{{${what}}}`, id)
  await engine.killInside(Number(await inspect('.State.Pid')))
  await until(async () => (await inspect('.RestartCount')) === '1', 'the restart after a crash')

  const before = traces(engine.dir)
  assert.ok(
    before.processes.length > 3 && before.mounts.length > 0 && before.cgroups.length > 0,
    JSON.stringify(before),
  )
  await engine.stop()
  assert.deepEqual(traces(engine.dir), NO_TRACES)
})

test('an image is made of each Valkey that the tests know', { timeout: 120_000 }, async (t) => {
  if (!requireDocker(t)) return
  const engine = await startDockerd()
  t.after(() => engine.stop())
  for (const version of VALKEY_VERSIONS) {
    if (requirePart(t, `valkey-${version}`) === undefined) continue
    await engine.importValkeyImage({ version, tag: `valkey/valkey:${version}-alpine` })
    const id = await startValkey(engine, `valkey/valkey:${version}-alpine`)
    const info = await engine.docker('exec', id, 'valkey-cli', 'info', 'server')
    assert.ok(info.includes(`valkey_version:${version}`), info)
  }
  await assert.rejects(engine.docker('run', 'no-such-image', 'true'), /no-such-image/)
})

test('nothing is left of the engine of a test that is killed', { timeout: 120_000 }, async (t) => {
  if (!requireDocker(t)) return
  const module = JSON.stringify(new URL('../support/dockerd.ts', import.meta.url).href)
  const code = `const { startDockerd } = await import(${module})
    const engine = await startDockerd()
    await engine.importValkeyImage()
    await engine.docker('run', '--detach', 'valkey/valkey:8-alpine')
    console.log(engine.dir)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const [dir] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  assertTraces(dir)
  child.kill('SIGKILL')
  const left = () => JSON.stringify(traces(dir))
  await until(() => left() === JSON.stringify(NO_TRACES), left, 20_000)
})
