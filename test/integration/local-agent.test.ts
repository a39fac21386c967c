import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { findEngine } from '../../src/agent/engine.ts'
import { makeLocalAgent } from '../../src/agent/local-agent.ts'
import type { AclUser } from '../../src/domain/acl/acl-user.ts'
import { sameAclUser } from '../../src/domain/acl/same.ts'
import { PLATFORM_USERS } from '../../src/domain/acl/tenant-user.ts'
import { diffConf } from '../../src/domain/conf/same.ts'
import type { LiveObservation, ServerObservation } from '../../src/domain/plan/spec.ts'
import type { Step } from '../../src/domain/plan/step.ts'
import type { StepError } from '../../src/domain/plan/step-error.ts'
import type { NodeAgent } from '../../src/domain/ports/node-agent.ts'
import type { Runtime } from '../../src/domain/ports/runtime.ts'
import type { Engine } from '../../src/domain/server-plan.ts'
import { makeProcessRuntime } from '../../src/runtime/process/runtime.ts'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import { assertNothingLeft, freeze } from '../support/left-behind.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { adminPassword, makePlans, type PlanMaker, sha256, type TestPlan, tenantUser } from '../support/plan.ts'

const signal = new AbortController().signal
const never = () => assert.fail('no beat is due')

/** What a kind of step carries beside what all have. */
type Body<K extends Step['kind']> = Omit<Step & { kind: K }, 'nodeId' | 'server' | 'timeoutMs'>

describe('local agent', () => {
  const root = mkdtempSync(join(tmpdir(), 'vkag-'))
  const dirs = { serversDir: join(root, 'servers'), socketsDir: join(root, 's') }
  let engine: Engine
  let runtime: Runtime
  let plans: PlanMaker

  before(async () => {
    engine = await findEngine({ valkeyServer: valkeyBinaries()[0]?.path, path: '' })
    runtime = makeProcessRuntime(dirs)
    plans = await makePlans(engine, runtime.layout)
  })
  after(async () => {
    assertNothingLeft(root)
    assert.deepEqual(await readdir(dirs.socketsDir), [])
    rmSync(root, { recursive: true })
  })

  const agentOf = (made: TestPlan, options: { callMs?: number } = {}): NodeAgent =>
    makeLocalAgent({
      ...dirs,
      engine,
      runtime,
      readSecret: made.readSecret,
      watchIntervalMs: 50,
      watchDeadlineMs: 200,
      ...options,
    })

  const execute = <K extends Step['kind']>(
    made: TestPlan,
    body: Body<K>,
    beat: (p: { message: string }) => void = never,
  ) =>
    agentOf(made).execute(
      { nodeId: 'n', server: made.handle, timeoutMs: 30_000, ...body } as unknown as Step,
      signal,
      beat,
    )

  const writeStep = ({ plan }: TestPlan) => ({ kind: 'write-files', plan, parts: ['conf', 'acl', 'tls'] }) as const
  const startStep = ({ plan }: TestPlan) => ({ kind: 'start', plan, appendonly: 'yes' }) as const
  const removeStep = { kind: 'remove' } as const

  const started = async (options: Parameters<PlanMaker['make']>[0] = {}): Promise<TestPlan> => {
    const made = await plans.make(options)
    await execute<'write-files'>(made, { ...writeStep(made), parts: ['conf', 'acl', 'tls'] })
    await execute<'start'>(made, startStep(made), () => undefined)
    return made
  }
  const look = (made: TestPlan): Promise<ServerObservation> => agentOf(made).observe(made.handle, made.plan, signal)
  const live = async (made: TestPlan): Promise<LiveObservation> => {
    const seen = await look(made)
    assert.ok(seen.live, seen.silent ?? 'no process')
    return seen.live
  }
  const login = (made: TestPlan, username: string, password: string): Promise<ValkeyConnection> =>
    connect({
      socket: { ...made.plan.listen, ca: plans.caPem },
      username,
      password,
      timeoutMs: 5_000,
    })

  it('shows a server as it was asked for, over socket and TLS', async () => {
    const made = await started({ users: [tenantUser('bob', 'password-of-bob', ['-@all', '+@read'])] })
    const seen = await look(made)
    assert.ok(seen.live)
    assert.equal(seen.live.processId, seen.process?.pid)
    assert.equal(seen.live.configFile, runtime.layout(made.plan.id).conf)
    assert.deepEqual(seen.live.tls, { fingerprint: made.plan.tls.fingerprint, runId: seen.live.runId })
    assert.deepEqual(diffConf(made.plan.conf, seen.files?.conf ?? null, seen.live.config), {
      file: false,
      live: [],
      restart: [],
    })
    for (const user of made.plan.acl) {
      const is = seen.live.acl.find(({ name }) => name === user.name)
      assert.ok(is && sameAclUser(user, is), user.name)
    }
    assert.equal(seen.live.acl.length, made.plan.acl.length)
    await execute(made, removeStep)
    assert.deepEqual((await look(made)).live, null)
  })

  it('never shows a password that the configuration holds', async () => {
    const made = await started({ extra: [{ name: 'primaryauth', args: ['canary-secret-1'] }] })
    const seen = await look(made)
    assert.equal(seen.live?.config.primaryauth, '(set)')
    assert.doesNotMatch(JSON.stringify(seen.live), /canary-secret-1/)
    await execute(made, removeStep)
  })

  it('sets, changes and removes users, and saves them', async () => {
    const made = await started({ users: [tenantUser('old', 'password-of-old', ['-@all', '+@read'])] })
    const bob = tenantUser('bob', 'password-of-bob', ['-@all', '+@read', '+@connection'])
    for (let again = 0; again < 2; again++)
      await execute<'set-users'>(made, { kind: 'set-users', users: [bob], remove: ['old', 'never-was'] })
    const seen = await look(made)
    for (const users of [seen.live?.acl, seen.files?.acl]) {
      assert.ok(users?.some((user) => sameAclUser(user, bob)))
      assert.ok(!users?.some((user) => user.name === 'old'))
    }
    await execute(made, removeStep)
  })

  it('ends the sessions of a password taken away, and of nobody else', async () => {
    const bob = tenantUser('bob', 'password-one', ['-@all', '+@read', '+@connection'])
    const eve = tenantUser('eve', 'password-of-eve', ['-@all', '+@read', '+@connection'])
    const made = await started({ users: [bob, eve] })
    await using bobs = await login(made, 'bob', 'password-one')
    await using eves = await login(made, 'eve', 'password-of-eve')
    // Rotation: both passwords are valid for a while, and nobody is dropped.
    const both = { ...bob, passwords: [sha256('password-one'), sha256('password-two')] }
    await execute<'set-users'>(made, { kind: 'set-users', users: [both], remove: [] })
    assert.equal(await bobs.call(['PING']), 'PONG')
    await execute<'set-users'>(made, {
      kind: 'set-users',
      users: [{ ...bob, passwords: [sha256('password-two')] }],
      remove: [],
    })
    await assert.rejects(bobs.call(['PING']), { name: 'ValkeyUnreachable' })
    assert.equal(await eves.call(['PING']), 'PONG')
    await execute<'set-users'>(made, { kind: 'set-users', users: [{ ...eve, on: false }], remove: [] })
    await assert.rejects(eves.call(['PING']), { name: 'ValkeyUnreachable' })
    await execute(made, removeStep)
  })

  it('applies and saves all users but those that the server refuses, and says which', async () => {
    const bob = tenantUser('bob', 'password-of-bob', ['-@all', '+get'])
    const made = await started({ users: [bob] })
    const unknown: AclUser = tenantUser('odd', 'password-of-odd', ['-@all', '+nosuchcommand'])
    const unsafe: AclUser = { ...tenantUser('raw', 'password-of-raw', ['-@all']), nopass: true }
    // Its sessions have to end too: refused inside the transaction.
    const changed: AclUser = { ...tenantUser('bob', 'another-password', ['-@all', '+nosuchcommand']) }
    const fine = tenantUser('fine', 'password-of-fine', ['-@all', '+get'])
    await assert.rejects(
      execute<'set-users'>(made, { kind: 'set-users', users: [unknown, unsafe, changed, fine], remove: [] }),
      (error: StepError) => {
        assert.equal(error.code, 'users-refused')
        assert.deepEqual(Object.keys(error.users ?? {}).toSorted(), ['bob', 'odd', 'raw'])
        assert.match(error.users?.odd ?? '', /Unknown command/)
        assert.doesNotMatch(JSON.stringify(error.users), /[0-9a-f]{64}/)
        return true
      },
    )
    const { files, live: now } = await look(made)
    for (const users of [files?.acl, now?.acl]) {
      assert.ok(users?.some((user) => sameAclUser(user, fine)))
      assert.ok(users?.some((user) => sameAclUser(user, bob)))
      assert.equal(
        users?.some((user) => ['odd', 'raw'].includes(user.name)),
        false,
      )
    }
    await execute(made, removeStep)
  })

  it('changes settings in one call, or none of them', async () => {
    const made = await started()
    const directives = [
      { name: 'maxmemory', args: ['33554432'] },
      { name: 'save', args: ['3600', '1'] },
      { name: 'save', args: ['300', '100'] },
    ]
    await execute<'configure'>(made, { kind: 'configure', directives, plan: made.plan })
    const { config } = await live(made)
    assert.deepEqual([config.maxmemory, config.save], ['33554432', '3600 1 300 100'])
    const bad = [
      { name: 'maxmemory', args: ['44040192'] },
      { name: 'maxmemory-policy', args: ['canary-value'] },
    ]
    await assert.rejects(
      execute<'configure'>(made, { kind: 'configure', directives: bad, plan: made.plan }),
      (error: StepError) => {
        assert.equal(error.code, 'engine-refused')
        assert.match(error.message, /maxmemory-policy/)
        assert.doesNotMatch(error.message, /canary-value/)
        return true
      },
    )
    assert.equal((await live(made)).config.maxmemory, '33554432')
    await execute(made, removeStep)
  })

  it('serves a new certificate without dropping anybody', async () => {
    const bob = tenantUser('bob', 'password-of-bob', ['-@all', '+@connection'])
    const made = await started({ users: [bob] })
    await using client = await login(made, 'bob', 'password-of-bob')
    const renewed = await plans.renew(made)
    await execute<'write-files'>(renewed, { kind: 'write-files', plan: renewed.plan, parts: ['tls'] })
    assert.equal((await look(renewed)).files?.certFingerprint, renewed.plan.tls.fingerprint)
    assert.deepEqual(servedBy(await live(renewed)), made.plan.tls.fingerprint)
    const directives = renewed.plan.conf.filter(({ name }) => /^tls-(cert|key)-file$/.test(name))
    await execute<'configure'>(renewed, { kind: 'configure', directives, plan: renewed.plan })
    assert.deepEqual(servedBy(await live(renewed)), renewed.plan.tls.fingerprint)
    assert.equal(await client.call(['PING']), 'PONG')
    await execute(made, removeStep)
  })

  it('still reads the certificate of an authority that is no longer trusted', async () => {
    const made = await started()
    const other = await (await makePlans(engine, runtime.layout)).make({
      id: made.plan.id,
      port: made.plan.listen.port,
    })
    assert.deepEqual(servedBy(await live(other)), made.plan.tls.fingerprint)
    // The very certificate asked for, under a bundle that does not vouch for it.
    const plan = { ...made.plan, tls: { ...made.plan.tls, caPem: other.plan.tls.caPem } }
    assert.ok('error' in (await live({ ...made, plan })).tls)
    await execute(made, removeStep)
  })

  it('takes no answer of a stranger on its port for its own', async () => {
    const stranger = await started()
    const made = await started()
    const plan = { ...made.plan, listen: stranger.plan.listen }
    const seen = await agentOf(made).observe(made.handle, plan, signal)
    assert.equal(seen.port, 'stranger')
    assert.deepEqual(seen.live?.tls, { error: 'another server answers on its port' })
    await execute(made, removeStep)
    await execute(stranger, removeStep)
  })

  it('says silent within its deadline, and that a watched server is unresponsive', async () => {
    const made = await started()
    const { process: found } = await look(made)
    assert.ok(found)
    const heard: string[] = []
    const next = listenTo(heard)
    const unwatch = agentOf(made).watch(made.handle, {
      onDown: (reason) => next.say(`down: ${reason}`),
      onUnresponsive: () => next.say('unresponsive'),
      onResponsive: () => next.say('responsive'),
    })
    await freeze(found.pid)
    const began = performance.now()
    const seen = await agentOf(made, { callMs: 300 }).observe(made.handle, made.plan, signal)
    assert.ok(performance.now() - began < 2_000)
    assert.equal(seen.process?.frozen, true)
    assert.equal(seen.live, null)
    assert.match(seen.silent ?? '', /no answer/)
    await next.until('unresponsive')
    process.kill(found.pid, 'SIGCONT')
    await next.until('responsive')
    process.kill(found.pid, 'SIGKILL')
    await next.until('down: its socket closed')
    unwatch()
    await execute(made, removeStep)
  })

  it('beats while a server loads', async () => {
    // Commands of an AOF are read 1024 at a time, and others are served in between.
    const slow = [{ name: 'key-load-delay', args: ['200'] }]
    const made = await started({ extra: slow })
    {
      await using admin = await login(made, PLATFORM_USERS.admin, adminPassword)
      await Promise.all(Array.from({ length: 4_000 }, (_, i) => admin.call(['SET', `key${i}`, 'x'])))
    }
    await execute<'stop'>(made, { kind: 'stop', reason: 'test' })
    const beats: string[] = []
    await execute<'start'>(made, startStep(made), ({ message }) => beats.push(message))
    assert.equal((await live(made)).loading, false)
    assert.match(beats[0] ?? '', /^loading its data: /)
    await execute(made, removeStep)
  })

  it('proves by DRYRUN what a user may do', async () => {
    const made = await started({ users: [tenantUser('bob', 'password-of-bob', ['-@all', '+get'])] })
    const verdicts = await agentOf(made).dryRun(made.handle, 'bob', [['GET', 'a'], ['SET', 'a', 'b'], ['NOSUCH']])
    assert.deepEqual(
      verdicts.map(({ allowed }) => allowed),
      [true, false, false],
    )
    await execute(made, removeStep)
  })

  it('ends a step at its signal, and tells an operator what a machine refuses', async () => {
    const made = await started()
    const cut = AbortSignal.abort(new Error('the operation was cancelled'))
    const step = { nodeId: 'n', server: made.handle, timeoutMs: 1, kind: 'stop', reason: 'test' } as const
    await assert.rejects(agentOf(made).execute(step, cut, never), { message: 'the operation was cancelled' })
    assert.ok((await look(made)).process)
    const wrong: TestPlan = { ...made, readSecret: async () => 'not-the-password' }
    await assert.rejects(execute<'set-users'>(wrong, { kind: 'set-users', users: [], remove: [] }), {
      code: 'admin-refused',
    })
    assert.match((await look(wrong)).silent ?? '', /refused the credentials/)
    await execute<'stop'>(made, { kind: 'stop', reason: 'test' })
    await assert.rejects(execute<'set-users'>(made, { kind: 'set-users', users: [], remove: [] }), {
      code: 'unreachable',
    })
    await execute(made, removeStep)
  })

  it('finds an engine, or says how to get one', async () => {
    const directory = engine.binary.slice(0, engine.binary.lastIndexOf('/'))
    assert.deepEqual(await findEngine({ valkeyServer: undefined, path: `/nowhere:${directory}` }), engine)
    await assert.rejects(findEngine({ valkeyServer: undefined, path: '/nowhere' }), {
      code: 'engine-missing',
      remedy: /install/,
    })
    await assert.rejects(findEngine({ valkeyServer: process.execPath, path: directory }), { code: 'engine-unusable' })
  })
})

const servedBy = ({ tls }: LiveObservation) => ('fingerprint' in tls ? tls.fingerprint : tls.error)

/** Waits for words as they are said. */
function listenTo(heard: string[]) {
  let wake = () => {}
  return {
    say(word: string) {
      heard.push(word)
      wake()
    },
    async until(word: string) {
      while (!heard.includes(word)) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}
