/** The API over the real store and real HTTP, with a driver that only records wakes and ends operations when told. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import pino from 'pino'
import { makeApi } from '../../src/api/api.ts'
import { type ApiDeps, type ApiLimits, defaultLimits } from '../../src/api/deps.ts'
import type { ControlDeps } from '../../src/control/deps.ts'
import type { Scope } from '../../src/domain/model/common.ts'
import type { Operation } from '../../src/domain/model/operation.ts'
import { newId } from '../../src/main/ids.ts'
import { insertApiKey } from '../../src/store/api-keys.ts'
import { insertNode } from '../../src/store/nodes.ts'
import { updateOperation } from '../../src/store/operations.ts'
import { insertShard } from '../../src/store/shards.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { insertTenant } from '../../src/store/tenants.ts'
import { fileKeyProvider } from '../../src/vault/key-provider.ts'
import { randomApiKey, randomPassword, sha256Hex } from '../../src/vault/random.ts'
import { makeVault } from '../../src/vault/vault.ts'
import { type Caller, makeCaller } from './http.ts'

export type TestApi = {
  app: FastifyInstance
  store: Store
  control: ControlDeps
  url: string
  adminKey: string
  tenantId: string
  nodeId: string
  shardId: string
  /** Ids of the instances that the driver was woken for, in order. */
  wakes: string[]
  now: { value: Date }
  call: Caller
  makeKey(fields?: { scopes?: Scope[]; tenantId?: string | null; expiresAt?: string | null }): Promise<string>
  makeTenant(name: string, limits?: { instances?: number; memoryMb?: number }): Promise<string>
  /** What a driver would write: the operation is over. */
  settle(operationId: string, status: Operation['status']): Promise<void>
  /** Resolves once so many wait for the operation. */
  waiting(operationId: string, count: number): Promise<void>
  /** Safe to repeat. */
  close(): Promise<void>
}

export type TestApiOptions = {
  capacityMb?: number
  ports?: [number, number]
  limits?: Partial<ApiLimits>
  https?: { key: string; cert: string }
}

const stamps = (now: Date) => ({ createdAt: now.toISOString(), updatedAt: now.toISOString(), revision: 1 })

/** A driver's place: waits are answered by `changed`. */
function makeRecorder() {
  const wakes: string[] = []
  const waiters = new Map<string, Set<() => void>>()
  return {
    wakes,
    waiting: (operationId: string) => waiters.get(operationId)?.size ?? 0,
    changed: (operationId: string) => {
      for (const done of [...(waiters.get(operationId) ?? [])]) done()
    },
    driver: {
      wake: (instanceId: string) => {
        wakes.push(instanceId)
      },
      queue: () => ({ waiting: 0, running: 0 }),
      async settled(operationId: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
        const over = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])])
        if (over.aborted) return
        await new Promise<void>((resolve) => {
          const set = waiters.get(operationId) ?? new Set()
          const done = () => {
            set.delete(done)
            resolve()
          }
          waiters.set(operationId, set.add(done))
          over.addEventListener('abort', done)
        })
      },
    },
  }
}

async function seed(store: Store, now: Date, options: TestApiOptions) {
  const ids = { tenantId: newId('tenant'), nodeId: newId('node'), shardId: newId('shard') }
  const [portMin, portMax] = options.ports ?? [21_000, 21_999]
  await store.write(async (tx) => {
    await insertTenant(tx, {
      id: ids.tenantId,
      name: 'default',
      maxInstances: null,
      maxTotalMemoryMb: null,
      ...stamps(now),
    })
    const node = {
      address: '127.0.0.1',
      agent: 'local',
      capacityMb: options.capacityMb ?? 100_000,
      portMin,
      portMax,
    } as const
    await insertNode(tx, { id: ids.nodeId, name: 'local', ...node, ...stamps(now) })
    await insertShard(tx, { id: ids.shardId, name: 'local', role: 'valkey', nodeIds: [ids.nodeId], ...stamps(now) })
  })
  return ids
}

/** Makes keys in the store itself. */
const keyMaker =
  (store: Store, now: { value: Date }): TestApi['makeKey'] =>
  async (fields = {}) => {
    const key = randomApiKey()
    const row = {
      id: newId('apiKey'),
      name: `k-${sha256Hex(key).slice(0, 8)}`,
      keyHash: sha256Hex(key),
      scopes: fields.scopes ?? ['admin' as const],
      tenantId: fields.tenantId ?? null,
      expiresAt: fields.expiresAt ?? null,
      createdAt: now.value.toISOString(),
      revision: 1,
    }
    await store.write((tx) => insertApiKey(tx, row))
    return key
  }

const tenantMaker =
  (store: Store, now: { value: Date }): TestApi['makeTenant'] =>
  async (name, limits = {}) => {
    const id = newId('tenant')
    const fields = { maxInstances: limits.instances ?? null, maxTotalMemoryMb: limits.memoryMb ?? null }
    await store.write((tx) => insertTenant(tx, { id, name, ...fields, ...stamps(now.value) }))
    return id
  }

const controlOf = (dir: string): ControlDeps => ({
  vault: makeVault(fileKeyProvider({ path: join(dir, 'kek'), create: true })),
  newId,
  randomPassword,
  randomApiKey,
  overcommit: 1,
  engineVersion: () => '8.0.1',
})

/** Listens on a free port of loopback. */
export async function startTestApi(options: TestApiOptions = {}): Promise<TestApi> {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-api-'))
  const store = await openSqliteStore({ path: join(dir, 'valkeep.db'), create: true })
  const now = { value: new Date('2026-03-01T12:00:00.000Z') }
  const ids = await seed(store, now.value, options)
  const control = controlOf(dir)
  const recorder = makeRecorder()
  const deps: ApiDeps = {
    store,
    control,
    driver: recorder.driver,
    agent: () => undefined,
    now: () => now.value.toISOString(),
    caPem: () => '-----BEGIN CERTIFICATE-----\ntest\n-----END CERTIFICATE-----\n',
    sessions: { changed: () => {} },
    notReady: () => [],
    log: pino({ level: 'silent' }),
    version: '0.0.0-test',
    https: options.https ?? null,
    limits: { ...defaultLimits, requestsPerMinute: 10_000_000, ...options.limits },
  }
  const app = makeApi(deps)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const makeKey = keyMaker(store, now)
  const adminKey = await makeKey()
  return {
    app,
    store,
    control,
    url,
    adminKey,
    ...ids,
    wakes: recorder.wakes,
    now,
    call: makeCaller(url, adminKey),
    makeKey,
    makeTenant: tenantMaker(store, now),
    async settle(operationId, status) {
      const at = now.value.toISOString()
      await store.write((tx) => updateOperation(tx, operationId, { status, finishedAt: at, updatedAt: at }))
      recorder.changed(operationId)
    },
    async waiting(operationId, count) {
      while (recorder.waiting(operationId) !== count) await new Promise((resolve) => setImmediate(resolve))
    },
    async close() {
      await app.close()
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
