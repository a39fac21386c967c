/** Kills the platform before and after each step of an operation, starts it again, and looks whether what was asked for is there. */
import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import type { ValkeyConnection } from '../../src/valkey/client.ts'
import {
  app,
  type Instance,
  type KillablePlatform,
  makeKillablePlatform,
  type Operation,
} from '../support/killable-platform.ts'
import { type Endpoint, endpointOf, login, runId } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'

const convergeMs = 10_000

/** An instance that a case works on; no id before it is asked for. */
export type Subject = { name: string; id: string; endpoint: Endpoint }

export type World = {
  platform: KillablePlatform
  tenantId: string
  make(name: string): Promise<Subject>
}

export type Case = {
  /** As operations name it. */
  kind: string
  /** What has to be there first. */
  prepare(world: World, name: string): Promise<Subject>
  /** Asks for the operation; the platform may die before it answers. */
  ask(world: World, subject: Subject): Promise<unknown>
  /** Asserts that exactly what was asked for is served. */
  verify(world: World, subject: Subject): Promise<void>
  /** What of the subject is there in the end. */
  leaves: { process: boolean; files: boolean }
}

export const nobody: Endpoint = { host: '127.0.0.1', port: 0, ca: '' }

function makeWorld(platform: KillablePlatform): World {
  const world: World = {
    platform,
    tenantId: '',
    async make(name) {
      const { id } = await platform.make(name)
      return { name, id, endpoint: await endpointOf(platform, id) }
    },
  }
  return world
}

/** Where the platform may die in an operation: the steps that it really had, and the loop around them. */
function failpointsOf(operation: Operation): string[] {
  const seen = new Map<string, number>()
  const steps = operation.steps.map(({ kind }) => {
    const count = (seen.get(kind) ?? 0) + 1
    seen.set(kind, count)
    return `${kind}#${count}`
  })
  return ['begin#1', ...steps, 'finish#1'].flatMap((name) => [`before:${name}`, `after:${name}`])
}

/** Declares the tests of one file: every failpoint of every case, on one platform, beside a neighbour that is watched. */
export function testFailpoints(cases: Record<string, Case>): void {
  const platform = makeKillablePlatform()
  const world = makeWorld(platform)
  let count = 0
  let neighbour: Subject & { client: ValkeyConnection; runId: string }

  before(async () => {
    await platform.start()
    world.tenantId = await platform.tenantId()
    const made = await world.make('neighbour')
    const client = await login(made.endpoint, app)
    neighbour = { ...made, client, runId: await runId(client) }
  })
  after(async () => {
    await neighbour?.client.close()
    await platform.remove()
  })

  const checkNeighbour = async () => {
    assert.equal(await runId(neighbour.client), neighbour.runId, 'the neighbour was restarted')
    const kinds = (await platform.operations(neighbour.id)).map(({ kind }) => kind)
    assert.deepEqual(kinds, ['create'], 'the neighbour was touched')
  }

  const clear = async ({ id }: Subject) => {
    if ((await platform.call('GET', `/valkey-instances/${id}`)).status === 404) return
    await platform.done('DELETE', `/valkey-instances/${id}`)
  }

  for (const [title, each] of Object.entries(cases))
    test(title, async (t) => {
      const subject = await each.prepare(world, `reference-${++count}`)
      await each.ask(world, subject)
      const failpoints = failpointsOf(await settle(world, each, subject))
      await each.verify(world, subject)
      await clear(subject)
      for (const failpoint of failpoints)
        await t.test(failpoint, async (t) => {
          const subject = await dieAndReturn(t, world, each, `case-${++count}`, failpoint)
          await checkNeighbour()
          await checkLeftovers(world, each, subject, neighbour.id)
          checkRows(platform)
          await clear(subject)
        })
    })
}

/** Waits for the one operation of the case; nothing else may have happened to the subject. */
async function settle({ platform }: World, each: Case, subject: Subject): Promise<Operation> {
  if (subject.id === '') {
    const { items } = await platform.ok<{ items: Instance[] }>('GET', '/valkey-instances?limit=200')
    const found = items.filter(({ name }) => name === subject.name)
    assert.equal(found.length, 1, `instances named ${subject.name}`)
    subject.id = found[0]?.id ?? ''
  }
  const kinds = async () => (await platform.operations(subject.id)).map(({ kind }) => kind)
  const [ours, ...others] = (await platform.operations(subject.id)).filter(({ kind }) => kind === each.kind)
  assert.ok(ours && others.length === 0, `operations: ${await kinds()}`)
  const operation = await platform.settled(ours.id)
  assert.equal(operation.status, 'succeeded', JSON.stringify(operation))
  assert.ok(!(await kinds()).includes('repair'), 'a repair beside the operation')
  return operation
}

async function dieAndReturn(
  t: TestContext,
  world: World,
  each: Case,
  name: string,
  failpoint: string,
): Promise<Subject> {
  const { platform } = world
  const subject = await each.prepare(world, name)
  await platform.kill9()
  await platform.start({ env: { VALKEEP_FAILPOINT: failpoint } })
  const asked = each.ask(world, subject).catch((error: unknown) => error)
  const { signal } = await platform.ended(convergeMs)
  assert.equal(signal, 'SIGKILL', `${failpoint} was never reached`)
  await asked
  const begun = performance.now()
  const readyMs = await platform.start()
  await settle(world, each, subject)
  await each.verify(world, subject)
  const ms = performance.now() - begun
  t.diagnostic(`ready after ${Math.round(readyMs)} ms, as asked for after ${Math.round(ms)} ms`)
  assert.ok(ms < convergeMs, `${ms} ms`)
  return subject
}

/** Nothing of the subject or of anything else beside what should be there. */
async function checkLeftovers({ platform }: World, each: Case, { id }: Subject, neighbourId: string): Promise<void> {
  const { leaves } = each
  const serverIds = () => platform.servers().map((pid) => basename(dirname(readlinkSync(`/proc/${pid}/cwd`))))
  await until(
    () => serverIds().length === (leaves.process ? 2 : 1),
    () => `processes: ${serverIds().join()}`,
  )
  assert.equal(new Set(serverIds()).size, serverIds().length, 'two processes of one server')
  assert.equal(readdirSync(platform.serversDir).length, leaves.files ? 2 : 1, 'directories')
  const sockets = readdirSync(platform.runtimeDir).map((name) => basename(name, '.sock'))
  assert.deepEqual(sockets.toSorted(), serverIds().toSorted(), 'a socket without a process')
  const { items } = await platform.ok<{ items: Instance[] }>('GET', '/valkey-instances?limit=200')
  const wanted = leaves.files ? [neighbourId, id] : [neighbourId]
  assert.deepEqual(items.map((row) => row.id).toSorted(), wanted.toSorted())
}

/** The store holds nothing twice, and nothing that belongs to nobody. */
function checkRows(platform: KillablePlatform): void {
  const column = (query: string) => platform.rows(query).map((row) => Object.values(row)[0])
  const alive = column('select id from instances where deleted_at is null order by id')
  assert.deepEqual(column('select instance_id from servers order by instance_id'), alive, 'one server an instance')
  const ports = column('select port from servers order by port')
  assert.deepEqual(column('select port from ports where server_id is not null order by port'), ports, 'ports held')
  const reserved = column('select sum(max_memory_mb) from instances where deleted_at is null')
  assert.deepEqual(column('select reserved_mb from nodes'), reserved, 'memory reserved')
  const orphans = column(`select id from secrets where id not in (
    select key_secret_id from authorities
    union select admin_secret_id from servers union select replication_secret_id from servers
    union select monitor_secret_id from servers
    union select cert_key_secret_id from servers where cert_key_secret_id is not null
    union select password_secret_id from users where deleted_at is null)`)
  assert.deepEqual(orphans, [], 'secrets that belong to nobody')
}
