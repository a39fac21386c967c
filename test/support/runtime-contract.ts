/** What every runtime promises: one suite, run against each of them. */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { appendFile, rename, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { PLATFORM_USERS } from '../../src/domain/acl/tenant-user.ts'
import type { FilePart } from '../../src/domain/plan/step.ts'
import type { Runtime } from '../../src/domain/ports/runtime.ts'
import type { Engine, ServerPlan } from '../../src/domain/server-plan.ts'
import { connect } from '../../src/valkey/client.ts'
import { adminPassword, makePlans, newServerId, type PlanMaker, type TestPlan } from './plan.ts'

export type ElsewhereJob = { kind: 'write' | 'start' | 'stop' | 'remove'; plan: ServerPlan; key: string }

export type RuntimeWorld = {
  engine: Engine
  runtime: Runtime
  /** The directory whose changes show how far an operation has come. */
  watched: string
  /** Begins an operation in a process of its own, which ends with it. */
  elsewhere(job: ElsewhereJob): ChildProcess
  /** Ends what is left, and fails where anything is. */
  end(): Promise<void>
}

const parts: FilePart[] = ['conf', 'acl', 'tls']
const signal = new AbortController().signal

/** What the tests of a suite share; filled in before the first of them. */
type Suite = { world: RuntimeWorld; plans: PlanMaker }

export function runtimeContract(name: string, makeWorld: () => Promise<RuntimeWorld>): void {
  describe(`${name} runtime`, () => {
    const suite = {} as Suite
    before(async () => {
      suite.world = await makeWorld()
      suite.plans = await makePlans(suite.world.engine, suite.world.runtime.layout)
    })
    after(() => suite.world.end())
    it('writes, starts, observes, stops and removes, each repeated', () => wholeLife(suite))
    oneProcess(suite)
    cutOffs(suite)
    refusals(suite)
  })
}

async function written({ world, plans }: Suite, options: Parameters<PlanMaker['make']>[0] = {}): Promise<TestPlan> {
  const made = await plans.make(options)
  await world.runtime.write(made.plan, parts, made.key)
  return made
}

async function started(suite: Suite): Promise<TestPlan> {
  const made = await written(suite)
  await suite.world.runtime.start(made.plan, { appendonly: 'yes' }, signal)
  return made
}

const pidOf = async ({ world }: Suite, plan: ServerPlan) => (await world.runtime.observe(plan)).process?.pid

async function wholeLife(suite: Suite): Promise<void> {
  const { runtime } = suite.world
  const { plan, key } = await suite.plans.make()
  const nothing = await runtime.observe(plan)
  assert.deepEqual(nothing, { ...nothing, files: null, data: { kind: 'empty' }, process: null, port: 'free' })
  assert.equal(nothing.binaryVersion, suite.world.engine.version)

  for (let again = 0; again < 2; again++) await runtime.write(plan, parts, key)
  const { files } = await runtime.observe(plan)
  assert.deepEqual(files?.conf, plan.conf)
  assert.deepEqual(
    files?.acl?.map((user) => user.name),
    plan.acl.map((user) => user.name),
  )
  assert.equal(files?.certFingerprint, plan.tls.fingerprint)
  assert.deepEqual([files?.keyFits, files?.caPem, files?.tooOpen], [true, plan.tls.caPem, []])

  await runtime.start(plan, { appendonly: 'yes' }, signal)
  const pid = await pidOf(suite, plan)
  await runtime.start(plan, { appendonly: 'yes' }, signal)
  const running = await runtime.observe(plan)
  assert.equal(running.process?.pid, pid)
  assert.equal(running.port, 'ours')
  assert.equal(running.data.kind, 'aof')
  await ask(suite.world, plan, ['SET', 'kept', 'yes'])

  for (let again = 0; again < 2; again++) await runtime.stop(plan.id, 'save', signal)
  assert.equal((await runtime.observe(plan)).process, null)
  assert.equal(await runtime.endReason(plan.id), null)
  await runtime.start(plan, { appendonly: 'yes' }, signal)
  assert.equal(await ask(suite.world, plan, ['GET', 'kept']), 'yes')

  for (let again = 0; again < 2; again++) await runtime.remove(plan.id)
  const gone = await runtime.observe(plan)
  assert.deepEqual(gone, { ...gone, files: null, data: { kind: 'empty' }, process: null, port: 'free' })
}

function oneProcess(suite: Suite): void {
  it('adopts what another process started, which outlives it', async () => {
    const { plan, key } = await written(suite)
    const [code] = await once(suite.world.elsewhere({ kind: 'start', plan, key }), 'exit')
    assert.equal(code, 0)
    const pid = await pidOf(suite, plan)
    assert.ok(pid)
    await suite.world.runtime.start(plan, { appendonly: 'yes' }, signal)
    assert.equal(await pidOf(suite, plan), pid)
    await suite.world.runtime.stop(plan.id, 'save', signal)
    assert.equal(await pidOf(suite, plan), undefined)
    await suite.world.runtime.remove(plan.id)
  })

  it('starts one process however many ask at once', async () => {
    const { plan } = await written(suite)
    await Promise.all([1, 2, 3].map(() => suite.world.runtime.start(plan, { appendonly: 'yes' }, signal)))
    const listed = (await suite.world.runtime.list()).filter(({ id }) => id === plan.id)
    assert.deepEqual(listed, [{ id: plan.id, pid: (await pidOf(suite, plan)) ?? 0 }])
    await suite.world.runtime.remove(plan.id)
  })
}

function cutOffs(suite: Suite): void {
  let kills = 0
  for (const changes of [1, 2, 4, 8]) {
    it(`goes on after a kill at change ${changes} of each operation`, async () => {
      const { runtime } = suite.world
      const { plan, key } = await suite.plans.make()
      const cut = async (kind: ElsewhereJob['kind']) => {
        if (await cutOff(suite.world, { kind, plan, key }, changes)) kills += 1
      }

      await cut('write')
      await runtime.write(plan, parts, key)
      await cut('start')
      await runtime.start(plan, { appendonly: 'yes' }, signal)
      const pid = await pidOf(suite, plan)
      assert.ok(pid)
      assert.equal((await runtime.observe(plan)).port, 'ours')
      await ask(suite.world, plan, ['SET', 'kept', 'yes'])
      await cut('stop')
      await runtime.stop(plan.id, 'save', signal)
      assert.equal(await pidOf(suite, plan), undefined)
      await runtime.start(plan, { appendonly: 'yes' }, signal)
      assert.equal(await ask(suite.world, plan, ['GET', 'kept']), 'yes')
      await cut('remove')
      await runtime.remove(plan.id)
      assert.equal(
        (await runtime.list()).some(({ id }) => id === plan.id),
        false,
      )
      assert.equal((await runtime.observe(plan)).files, null)
    })
  }
  it('was really cut off', () => assert.ok(kills >= 4, `only ${kills} kills came in time`))
}

function refusals(suite: Suite): void {
  it('leaves a stranger on its port alone and says so', async (t) => {
    const stranger = await listen()
    t.after(() => stranger.server.close())
    const { plan } = await written(suite, { port: stranger.port })
    assert.equal((await suite.world.runtime.observe(plan)).port, 'stranger')
    await assert.rejects(suite.world.runtime.start(plan, { appendonly: 'yes' }, signal), {
      name: 'StepError',
      code: 'port-taken',
      message: `port ${stranger.port} on 127.0.0.1 is taken`,
    })
    assert.equal((await suite.world.runtime.endReason(plan.id))?.code, 'port-taken')
    assert.equal(stranger.server.listening, true)
    assert.equal((await suite.world.runtime.observe(plan)).process, null)
    await suite.world.runtime.remove(plan.id)
  })

  it('says why a configuration is refused, without its values', async () => {
    const { plan } = await written(suite)
    await appendFile(suite.world.runtime.layout(plan.id).conf, 'requirepas hunter2\n')
    await assert.rejects(
      suite.world.runtime.start(plan, { appendonly: 'yes' }, signal),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'config-error')
        assert.match(error.message, /directive requirepas\b/)
        assert.doesNotMatch(error.message, /hunter2/)
        return true
      },
    )
    await suite.world.runtime.remove(plan.id)
  })

  it('judges data before any start', async () => {
    const { runtime } = suite.world
    const { plan } = await started(suite)
    await ask(suite.world, plan, ['SET', 'kept', 'yes'])
    await runtime.stop(plan.id, 'save', signal)
    const { dataDir } = runtime.layout(plan.id)
    const aof = `${dataDir}/appendonlydir`
    await rename(`${aof}/appendonly.aof.manifest`, `${dataDir}/manifest`)
    assert.equal((await runtime.observe(plan)).data.kind, 'unsafe')
    await rename(`${dataDir}/manifest`, `${aof}/appendonly.aof.manifest`)
    assert.deepEqual((await runtime.observe(plan)).data, { kind: 'aof', writtenBy: plan.engine.version })
    await rm(`${aof}/appendonly.aof.1.incr.aof`)
    assert.equal((await runtime.observe(plan)).data.kind, 'unsafe')
    await runtime.remove(plan.id)
  })

  it('lists servers that nobody knows, and removes them', async () => {
    const { plan } = await started(suite)
    const pid = await pidOf(suite, plan)
    assert.ok((await suite.world.runtime.list()).some((entry) => entry.id === plan.id && entry.pid === pid))
    await suite.world.runtime.remove(plan.id)
    assert.deepEqual(await suite.world.runtime.list(), [])
    // One that was never there.
    await suite.world.runtime.remove(newServerId())
    await suite.world.runtime.stop(newServerId(), 'save', signal)
  })

  it('takes no path for an id', async () => {
    const { plan } = await suite.plans.make()
    for (const id of ['../etc', '', 'srv_1', `${plan.id}/..`, `${plan.id}\n`]) {
      assert.throws(() => suite.world.runtime.layout(id), { code: 'bad-id' })
      await assert.rejects(async () => suite.world.runtime.remove(id), { code: 'bad-id' })
      await assert.rejects(async () => suite.world.runtime.start({ ...plan, id }, { appendonly: 'yes' }, signal), {
        code: 'bad-id',
      })
    }
  })
}

/** One command as the platform's admin; waits while the server still reads its data. */
async function ask(world: RuntimeWorld, plan: ServerPlan, command: string[]): Promise<unknown> {
  for (;;) {
    const path = world.runtime.layout(plan.id).socket
    await using open = await connect({
      socket: { path },
      username: PLATFORM_USERS.admin,
      password: adminPassword,
      timeoutMs: 5_000,
    })
    try {
      return await open.call(command)
    } catch (error) {
      if ((error as { code?: string }).code !== 'LOADING') throw error
    }
  }
}

/** Runs an operation elsewhere and kills its process at the n-th change of a file. @returns false where it ended before */
async function cutOff(world: RuntimeWorld, job: ElsewhereJob, changes: number): Promise<boolean> {
  let seen = 0
  const child = world.elsewhere(job)
  const watcher = watch(world.watched, { recursive: true }, () => {
    seen += 1
    if (seen === changes) child.kill('SIGKILL')
  })
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  watcher.close()
  return child.signalCode === 'SIGKILL'
}

async function listen(): Promise<{ server: Server; port: number }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { server, port: address.port }
}
