import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findEngine } from '../../src/agent/engine.ts'
import { PLATFORM_USERS } from '../../src/domain/acl/tenant-user.ts'
import type { Runtime } from '../../src/domain/ports/runtime.ts'
import type { Engine, ServerPlan } from '../../src/domain/server-plan.ts'
import { makeBinaryVersion } from '../../src/runtime/process/binary-version.ts'
import { procTable, psTable } from '../../src/runtime/process/process-table.ts'
import { makeProcessRuntime } from '../../src/runtime/process/runtime.ts'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import { assertNothingLeft, freeze, processesIn } from '../support/left-behind.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { adminPassword, makePlans, type PlanMaker } from '../support/plan.ts'
import { until } from '../support/until.ts'
import { runtimeContract } from '../support/runtime-contract.ts'

const script = fileURLToPath(new URL('../support/runtime-elsewhere.ts', import.meta.url))
const signal = new AbortController().signal
const oldest = valkeyBinaries()[0]
assert.ok(oldest, 'no valkey-server on this machine')
const engineOf = (path: string) => findEngine({ valkeyServer: path, path: '' })

function makeDirs() {
  const root = mkdtempSync(join(tmpdir(), 'vkrt-'))
  const dirs = { serversDir: join(root, 'servers'), socketsDir: join(root, 's') }
  return {
    root,
    dirs,
    end: async () => {
      assertNothingLeft(root)
      assert.deepEqual(await readdir(dirs.socketsDir), [], 'sockets were left behind')
      rmSync(root, { recursive: true })
    },
  }
}

runtimeContract('process', async () => {
  const { dirs, end } = makeDirs()
  return {
    engine: await engineOf(oldest.path),
    runtime: makeProcessRuntime(dirs),
    watched: dirs.serversDir,
    elsewhere(job) {
      const child = spawn(process.execPath, [script], { stdio: ['pipe', 'inherit', 'inherit'] })
      child.stdin.end(JSON.stringify({ job, dirs }))
      return child
    },
    end,
  }
})

describe('process runtime, on this machine', () => {
  const { root, dirs, end } = makeDirs()
  let engine: Engine
  let runtime: Runtime
  let plans: PlanMaker
  before(async () => {
    engine = await engineOf(oldest.path)
    runtime = makeProcessRuntime({ ...dirs, stopGraceMs: 300 })
    plans = await makePlans(engine, runtime.layout)
  })
  after(end)

  const started = async (options: Parameters<PlanMaker['make']>[0] = {}): Promise<ServerPlan> => {
    const { plan, key } = await plans.make(options)
    await runtime.write(plan, ['conf', 'acl', 'tls'], key)
    await runtime.start(plan, { appendonly: 'yes' }, signal)
    return plan
  }
  const pidOf = async (plan: ServerPlan): Promise<number> => {
    const { process } = await runtime.observe(plan)
    assert.ok(process)
    return process.pid
  }
  const admin = (plan: ServerPlan): Promise<ValkeyConnection> =>
    connect({
      socket: { path: runtime.layout(plan.id).socket },
      username: PLATFORM_USERS.admin,
      password: adminPassword,
      timeoutMs: 5_000,
    })

  it('finds a process whose start was never recorded, and never starts a second', async () => {
    const plan = await started()
    const pid = await pidOf(plan)
    const record = join(runtime.layout(plan.id).dir, 'server.json')
    const whole = readFileSync(record, 'utf8')
    for (const text of [JSON.stringify({ ...JSON.parse(whole), pid: null, startTime: null }), 'half of {', undefined]) {
      if (text === undefined) rmSync(record)
      else writeFileSync(record, text)
      assert.equal(await pidOf(plan), pid)
      await runtime.start(plan, { appendonly: 'yes' }, signal)
      assert.deepEqual(processesIn(root), [pid])
    }
    await runtime.remove(plan.id)
    assert.deepEqual(processesIn(root), [])
  })

  it('never touches a process that only has the recorded pid', async () => {
    const plan = await started()
    await runtime.stop(plan.id, 'kill', signal)
    const stranger = await started()
    const pid = await pidOf(stranger)
    const facts = await procTable().look(pid)
    const { dir } = runtime.layout(plan.id)
    for (const startTime of [facts?.startTime, '1']) {
      writeFileSync(join(dir, 'server.json'), JSON.stringify({ pid, startTime, configFile: 'x', logOffset: 0 }))
      assert.equal((await runtime.observe(plan)).process, null)
      await runtime.stop(plan.id, 'kill', signal)
    }
    await runtime.remove(plan.id)
    assert.equal(await pidOf(stranger), pid)
    await runtime.remove(stranger.id)
  })

  it('leaves a program alone that merely stands in the directory', async () => {
    const plan = await started()
    const { dataDir } = runtime.layout(plan.id)
    const bystander = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      cwd: dataDir,
      detached: true,
      stdio: 'pipe',
    })
    await runtime.remove(plan.id)
    assert.deepEqual(processesIn(root), [bystander.pid])
    assert.equal(bystander.exitCode ?? bystander.signalCode, null)
    bystander.stdin.end()
    await new Promise((resolve) => bystander.once('exit', resolve))
  })

  it('ends a saving child that outlived its server before it starts the next', async () => {
    const plan = await started({ extra: [{ name: 'rdb-key-save-delay', args: ['1000000'] }] })
    const pid = await pidOf(plan)
    {
      await using connection = await admin(plan)
      for (let i = 0; i < 100; i++) await connection.call(['SET', `key${i}`, 'x'])
      await connection.call(['BGSAVE'])
    }
    const child = processesIn(root).find((other) => other !== pid)
    assert.ok(child)
    process.kill(pid, 'SIGKILL')
    await until(async () => (await runtime.observe(plan)).process === null, 'the end of a killed server')
    assert.deepEqual(
      (await runtime.list()).filter(({ id }) => id === plan.id),
      [{ id: plan.id, pid: child }],
    )
    await runtime.start(plan, { appendonly: 'yes' }, signal)
    assert.deepEqual(processesIn(root), [await pidOf(plan)])
    await runtime.remove(plan.id)
  })

  it('shows a frozen process and stops it all the same', async () => {
    const plan = await started()
    const pid = await pidOf(plan)
    await freeze(pid)
    assert.deepEqual((await runtime.observe(plan)).process, { pid, frozen: true })
    await runtime.stop(plan.id, 'save', signal)
    assert.equal((await runtime.observe(plan)).process, null)
    await runtime.remove(plan.id)
  })

  it('kills what does not end in its time', async () => {
    const plan = await started()
    {
      await using connection = await admin(plan)
      // A script that no signal interrupts; its caller is not waited for.
      await connection.call(['CONFIG', 'SET', 'busy-reply-threshold', '0'])
      connection.call(['EVAL', 'while true do end', '0'], { timeoutMs: 60_000 }).catch(() => undefined)
      await runtime.stop(plan.id, 'save', signal)
    }
    assert.deepEqual(processesIn(root), [])
    await runtime.remove(plan.id)
  })

  it('lets a server save for as long as its snapshot grows, and beats', async () => {
    const plan = await started({ extra: [{ name: 'rdb-key-save-delay', args: ['20000'] }] })
    {
      await using connection = await admin(plan)
      const value = randomBytes(16_384)
      await Promise.all(Array.from({ length: 80 }, (_, i) => connection.call(['SET', `key${i}`, value])))
    }
    let beats = 0
    await runtime.stop(plan.id, 'save', signal, () => beats++)
    assert.ok(beats > 0)
    const { log } = runtime.layout(plan.id)
    assert.match(readFileSync(log, 'utf8'), /is now ready to exit/, 'it was not killed')
    await runtime.remove(plan.id)
  })

  it('writes nothing that others may read, nor does valkey', async () => {
    const plan = await started()
    {
      await using connection = await admin(plan)
      await connection.call(['ACL', 'SAVE'])
      await connection.call(['SAVE'])
    }
    const { dir, conf, tlsDir } = runtime.layout(plan.id)
    const open = (await readdir(dir, { recursive: true })).filter(
      (file) => (statSync(join(dir, file)).mode & 0o077) !== 0,
    )
    assert.deepEqual(open, [])
    chmodSync(conf, 0o644)
    chmodSync(tlsDir, 0o755)
    assert.deepEqual((await runtime.observe(plan)).files?.tooOpen, [tlsDir, conf])
    await runtime.write(plan, ['modes'], null)
    assert.deepEqual((await runtime.observe(plan)).files?.tooOpen, [])
    await runtime.remove(plan.id)
  })

  it('gives the server nothing of our environment', async () => {
    // Valkey's title overwrites /proc/PID/environ: a script in its place tells.
    const [binary, told] = [join(root, 'valkey-server'), join(root, 'environment')]
    writeFileSync(binary, `#!/bin/sh\nenv >'${told}'\nexec '${engine.binary}' "$@"\n`, { mode: 0o700 })
    const plan = await started({ engine: { ...engine, binary } })
    const names = readFileSync(told, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0])
    // PWD is the shell's own.
    assert.deepEqual(names.filter((name) => name !== 'PWD').toSorted(), ['LANG', 'PATH'])
    await runtime.remove(plan.id)
  })

  it('moves a long log aside when it starts', async () => {
    const { plan, key } = await plans.make()
    await runtime.write(plan, ['conf', 'acl', 'tls'], key)
    const { log } = runtime.layout(plan.id)
    writeFileSync(log, Buffer.alloc(10 * 1024 * 1024 + 1, 'x'))
    await runtime.start(plan, { appendonly: 'yes' }, signal)
    assert.equal(statSync(`${log}.1`).size, 10 * 1024 * 1024 + 1)
    assert.match(readFileSync(log, 'utf8'), /Running mode=standalone/)
    await runtime.remove(plan.id)
  })

  it('cuts a long log while the server writes it', async () => {
    const plan = await started()
    const { log } = runtime.layout(plan.id)
    writeFileSync(log, Buffer.alloc(10 * 1024 * 1024, 'x'), { flag: 'a' })
    await runtime.observe(plan)
    assert.equal(statSync(log).size, 0)
    assert.ok(statSync(`${log}.1`).size > 10 * 1024 * 1024)
    assert.equal(statSync(`${log}.1`).mode & 0o077, 0)
    await runtime.stop(plan.id, 'save', signal)
    assert.match(readFileSync(log, 'utf8'), /^\d+:.*\n[^]*is now ready to exit/, 'it goes on at the beginning')
    await runtime.remove(plan.id)
  })

  it('sees the same processes by ps and lsof as by /proc', async (t) => {
    if (!existsSync('/usr/bin/lsof')) return t.skip('lsof is missing (apt-get install lsof)')
    const plan = await started()
    const pid = await pidOf(plan)
    const [byProc, byPs] = [await procTable().look(pid), await psTable().look(pid)]
    assert.deepEqual({ ...byPs, startTime: '' }, { ...byProc, startTime: '' })
    const other = makeProcessRuntime({ ...dirs, table: psTable() })
    assert.ok((await other.list()).some((entry) => entry.pid === pid))
    await runtime.remove(plan.id)
  })

  it('refuses directories that are not its own', () => {
    const elsewhere = join(root, 'elsewhere')
    mkdirSync(elsewhere)
    symlinkSync(elsewhere, join(root, 'link'))
    assert.throws(() => makeProcessRuntime({ ...dirs, socketsDir: join(root, 'link') }), { code: 'directory-unsafe' })
    assert.throws(() => makeProcessRuntime({ ...dirs, socketsDir: join(root, 'x'.repeat(70)) }), {
      code: 'path-too-long',
    })
  })

  it('refuses a directory that somebody else could move away', () => {
    const shared = join(root, 'shared')
    mkdirSync(shared)
    chmodSync(shared, 0o777)
    assert.throws(() => makeProcessRuntime({ ...dirs, socketsDir: join(shared, 's') }), { code: 'directory-unsafe' })
    chmodSync(shared, 0o1777)
    makeProcessRuntime({ ...dirs, socketsDir: join(shared, 's') })
  })

  it('starts a server though the directory of the sockets was removed', async () => {
    const { plan, key } = await plans.make()
    await runtime.write(plan, ['conf', 'acl', 'tls'], key)
    rmSync(dirs.socketsDir, { recursive: true })
    await runtime.start(plan, { appendonly: 'yes' }, signal)
    assert.equal(statSync(dirs.socketsDir).mode & 0o777, 0o700)
    await runtime.remove(plan.id)
  })

  it('never takes a look that failed for a process that is gone', async () => {
    const proc = join(root, 'proc')
    mkdirSync(join(proc, '1', 'stat'), { recursive: true })
    assert.equal(await procTable(proc).look(2), undefined)
    await assert.rejects(procTable(proc).look(1), { code: 'EISDIR' })
    await assert.rejects(procTable(proc).all(), { code: 'EISDIR' })
  })

  it('asks a binary again that could not be asked', async () => {
    const binary = join(root, 'valkey-server')
    writeFileSync(binary, `#!/bin/sh\ntest -e '${root}/answers' && echo 'Valkey server v=8.0.1 sha=0'\n`, {
      mode: 0o700,
    })
    const version = makeBinaryVersion()
    assert.equal(await version(binary), null)
    writeFileSync(join(root, 'answers'), '')
    assert.equal(await version(binary), '8.0.1')
  })
})

describe('data of other engines', () => {
  const { dirs, end } = makeDirs()
  const runtime = makeProcessRuntime(dirs)
  after(end)
  const binaries = valkeyBinaries()

  for (const writer of binaries) {
    it(`of ${writer.version} is judged as each engine does`, async () => {
      const plans = await makePlans(await engineOf(writer.path), runtime.layout)
      const { plan, key } = await plans.make()
      await runtime.write(plan, ['conf', 'acl', 'tls'], key)
      await runtime.start(plan, { appendonly: 'yes' }, signal)
      await runtime.stop(plan.id, 'save', signal)
      for (const reader of binaries) {
        const engine = await engineOf(reader.path)
        const { data } = await runtime.observe({ ...plan, engine })
        const { plan: own } = await (await makePlans(engine, runtime.layout)).make({
          id: plan.id,
          port: plan.listen.port,
        })
        const opens = await opened(runtime, { ...own, tls: plan.tls }, key)
        assert.equal(data.kind, opens ? 'aof' : 'unsafe', `${writer.version} by ${reader.version}`)
      }
      await runtime.remove(plan.id)
    })
  }

  it('8 does not open what 9 wrote', async (t) => {
    if (binaries.length < 3) return t.skip('needs 8.0 and 9')
    const [oldEngine, newEngine] = [await engineOf(binaries[0]?.path ?? ''), await engineOf(binaries[2]?.path ?? '')]
    const { plan, key } = await (await makePlans(newEngine, runtime.layout)).make()
    await runtime.write(plan, ['conf', 'acl', 'tls'], key)
    await runtime.start(plan, { appendonly: 'yes' }, signal)
    await runtime.stop(plan.id, 'save', signal)
    const { data } = await runtime.observe({ ...plan, engine: oldEngine })
    assert.deepEqual(data, {
      kind: 'unsafe',
      reason: `appendonly.aof.1.base.rdb was written by Valkey ${newEngine.version} in format 80, which Valkey ${oldEngine.version} cannot open`,
    })
    await runtime.remove(plan.id)
  })
})

/** Whether an engine really opens the data that lies there. */
async function opened(runtime: Runtime, plan: ServerPlan, key: string): Promise<boolean> {
  await runtime.write(plan, ['conf', 'acl', 'tls'], key)
  const path = runtime.layout(plan.id).socket
  const admin = { username: PLATFORM_USERS.admin, password: adminPassword, timeoutMs: 5_000 }
  try {
    await runtime.start(plan, { appendonly: 'yes' }, signal)
    for (let loading = true; loading; ) {
      await using connection = await connect({ socket: { path }, ...admin })
      loading = String(await connection.call(['INFO', 'persistence'])).includes('loading:1')
    }
  } catch (error) {
    // It refuses either before it answers or while it does.
    assert.match((await runtime.endReason(plan.id))?.message ?? '', /^the server ended: Bad file format/, String(error))
    return false
  }
  await runtime.stop(plan.id, 'save', signal)
  return true
}
