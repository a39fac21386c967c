import assert from 'node:assert/strict'
import type { Certificate } from '../../src/domain/model/server.ts'
import { isUniqueViolation } from '../../src/store/errors.ts'
import {
  findAnyInstance,
  findInstance,
  findInstanceByName,
  insertInstance,
  listInstanceIds,
  listInstances,
  setInstanceHealth,
  updateInstance,
} from '../../src/store/instances.ts'
import { insertNode } from '../../src/store/nodes.ts'
import { BadCursor } from '../../src/store/page.ts'
import {
  deleteServer,
  insertServer,
  serversOfInstances,
  serversOfNode,
  serversToRenew,
  updateServer,
} from '../../src/store/servers.ts'
import { deleteShard, insertShard, isShardEmpty } from '../../src/store/shards.ts'
import type { Store } from '../../src/store/store.ts'
import { deleteTenant, findTenant, insertTenant, listTenants, tenantUsage } from '../../src/store/tenants.ts'
import { at, idOf, instance, node, server, shard, tenant } from './store-rows.ts'
import type { StoreTests } from './store-suite.ts'

const [one, two] = [idOf('ten', 1), idOf('ten', 2)]

const withPlaces = async (store: Store) =>
  store.write(async (tx) => {
    for (const n of [1, 2]) await insertTenant(tx, tenant(n))
    await insertNode(tx, node(1))
    await insertShard(tx, shard(1, [idOf('nod', 1)]))
  })

export const instancesTests: StoreTests = {
  "an instance comes back as it was, with its shard's name": async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    const made = instance(1, {
      tenantId: one,
      shardId: idOf('shd', 1),
      settings: { appendfsync: 'always' },
      deletionProtection: true,
      everActive: true,
    })
    await store.write((tx) => insertInstance(tx, made))
    const expected = { ...made, shardName: 'shard-1' }
    assert.deepEqual(await store.read((db) => findInstance(db, made.id)), expected)
    assert.deepEqual(await store.read((db) => findInstanceByName(db, one, made.name)), expected)
    assert.equal(await store.read((db) => findInstanceByName(db, two, made.name)), undefined)
    assert.equal(await store.read((db) => findInstanceByName(db, null, made.name)), undefined)
  },

  'a change bumps the revision, health does not': async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    await store.write((tx) => insertInstance(tx, instance(1, { tenantId: one })))
    const id = idOf('ins', 1)
    const patch = { status: 'active', settings: {}, everActive: true, tenantId: null, updatedAt: at(5) } as const
    const changed = await store.write((tx) => updateInstance(tx, id, patch))
    assert.deepEqual(changed, { ...instance(1), ...patch, shardName: null, revision: 2 })
    const ill = { health: 'unhealthy', reason: 'It does not answer.' } as const
    await store.write((tx) => setInstanceHealth(tx, id, ill))
    const seen = { ...changed, health: ill.health, statusMessage: ill.reason }
    assert.deepEqual(await store.read((db) => findInstance(db, id)), seen)
    const failed = { status: 'failed', statusMessage: 'why', updatedAt: at(5) } as const
    await store.write((tx) => updateInstance(tx, id, failed))
    await store.write((tx) => setInstanceHealth(tx, id, { health: 'healthy', reason: null }))
    const kept = { ...seen, ...failed, health: 'healthy', revision: 3 }
    assert.deepEqual(await store.read((db) => findInstance(db, id)), kept)
    await assert.rejects(
      store.write((tx) => updateInstance(tx, idOf('ins', 9), { updatedAt: at(1) })),
      /no instance/,
    )
  },

  "a name is its tenant's once, deleted ones aside": async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    const add = (n: number, tenantId: string | null) =>
      store.write((tx) => insertInstance(tx, instance(n, { tenantId, name: 'same' })))
    await add(1, one)
    await add(2, two)
    await add(3, null)
    await assert.rejects(add(4, one), isUniqueViolation)
    await store.write((tx) => updateInstance(tx, idOf('ins', 1), { deletedAt: at(1), updatedAt: at(1) }))
    await add(5, one)
    assert.equal((await store.read((db) => findInstanceByName(db, one, 'same')))?.id, idOf('ins', 5))
    assert.equal((await store.read((db) => findInstanceByName(db, null, 'same')))?.id, idOf('ins', 3))
    assert.equal(await store.read((db) => findInstance(db, idOf('ins', 1))), undefined)
    assert.equal((await store.read((db) => findAnyInstance(db, idOf('ins', 1))))?.deletedAt, at(1))
  },

  'lists go by tenant, by none, or over all; never deleted ones': async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    await store.write(async (tx) => {
      for (let n = 1; n <= 9; n++) {
        const tenantId = [null, one, two][n % 3] ?? null
        await insertInstance(tx, instance(n, { tenantId, maxMemoryMb: n, deletedAt: n > 6 ? at(1) : null }))
      }
    })
    const ids = async (filter: { tenantId?: string | null }) =>
      (await store.read((db) => listInstances(db, filter, { limit: 50, cursor: null }))).items.map((item) => item.id)
    const numbered = (...numbers: number[]) => numbers.map((n) => idOf('ins', n))
    assert.deepEqual(await ids({}), numbered(1, 2, 3, 4, 5, 6))
    assert.deepEqual(await ids({ tenantId: one }), numbered(1, 4))
    assert.deepEqual(await ids({ tenantId: null }), numbered(3, 6))
    assert.deepEqual(await store.read((db) => listInstanceIds(db, '', 4)), numbered(1, 2, 3, 4))
    assert.deepEqual(await store.read((db) => listInstanceIds(db, idOf('ins', 4), 4)), numbered(5, 6))
    assert.deepEqual(await store.read((db) => tenantUsage(db, one)), { instances: 2, memoryMb: 5 })
    assert.deepEqual(await store.read((db) => tenantUsage(db, idOf('ten', 9))), { instances: 0, memoryMb: 0 })
  },

  "pages do not move under inserts and deletes, and refuse others' cursors": async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    const add = (n: number) => store.write((tx) => insertInstance(tx, instance(n)))
    for (const n of [10, 20, 30, 40, 50]) await add(n)
    const page = (cursor: string | null) => store.read((db) => listInstances(db, {}, { limit: 2, cursor }))
    const first = await page(null)
    await add(5)
    await add(25)
    await store.write((tx) => updateInstance(tx, idOf('ins', 20), { deletedAt: at(1), updatedAt: at(1) }))
    const second = await page(first.nextCursor)
    const third = await page(second.nextCursor)
    const seen = [first, second, third].flatMap((p) => p.items.map((item) => item.id))
    assert.deepEqual(
      seen,
      [10, 20, 25, 30, 40, 50].map((n) => idOf('ins', n)),
    )
    assert.deepEqual(
      [first, second, third].map((p) => p.hasMore),
      [true, true, false],
    )
    assert.equal(third.nextCursor, null)
    await assert.rejects(
      store.read((db) => listTenants(db, { limit: 2, cursor: first.nextCursor })),
      BadCursor,
    )
  },

  'a tenant or shard with instances cannot go; deleted ones do not hold it': async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    await store.write((tx) => insertInstance(tx, instance(1, { tenantId: one, shardId: idOf('shd', 1) })))
    assert.equal(await store.read((db) => isShardEmpty(db, idOf('shd', 1))), false)
    await assert.rejects(store.write((tx) => deleteTenant(tx, one)))
    await assert.rejects(store.write((tx) => deleteShard(tx, idOf('shd', 1))))
    await store.write((tx) => updateInstance(tx, idOf('ins', 1), { deletedAt: at(1), updatedAt: at(1) }))
    assert.equal(await store.read((db) => isShardEmpty(db, idOf('shd', 1))), true)
    await store.write(async (tx) => {
      await deleteTenant(tx, one)
      await deleteShard(tx, idOf('shd', 1))
    })
    assert.equal(await store.read((db) => findTenant(db, one)), undefined)
    const left = await store.read((db) => findAnyInstance(db, idOf('ins', 1)))
    assert.deepEqual([left?.tenantId, left?.shardId, left?.shardName], [null, null, null])
  },

  'servers come with their certificate, of many instances at once': async (t, open) => {
    const store = await open(t)
    await withPlaces(store)
    const certificate = (n: number): Certificate => ({
      pem: `pem-${n}`,
      keySecretId: idOf('sec', n),
      fingerprint: `${n}`,
      notAfter: at(n),
    })
    const made = [1, 2, 3].map((n) => server(n, n === 3 ? {} : { certificate: certificate(n) }))
    await store.write(async (tx) => {
      for (const row of made) {
        await insertInstance(tx, instance(Number.parseInt(row.instanceId.slice(-1), 16)))
        await insertServer(tx, row)
      }
    })
    const of = (numbers: number[]) =>
      store.read((db) =>
        serversOfInstances(
          db,
          numbers.map((n) => idOf('ins', n)),
        ),
      )
    assert.deepEqual(await of([3, 1, 2, 7]), made)
    assert.deepEqual(await of([]), [])
    await assert.rejects(store.write((tx) => insertServer(tx, server(4, { instanceId: idOf('ins', 1), port: 20_001 }))))
    assert.deepEqual(
      (await store.read((db) => serversToRenew(db, at(2), 10))).map((row) => row.id),
      [idOf('srv', 1)],
    )
    const moved = await store.write((tx) =>
      updateServer(tx, idOf('srv', 1), { port: 20_100, certificate: certificate(9) }),
    )
    assert.deepEqual(moved, { ...made[0], port: 20_100, certificate: certificate(9) })
    await store.write((tx) => deleteServer(tx, idOf('srv', 2)))
    const known = await store.read((db) => serversOfNode(db, idOf('nod', 1)))
    assert.deepEqual(
      known.sort((a, b) => a.id.localeCompare(b.id)),
      [1, 3].map((n) => ({ id: idOf('srv', n), instanceId: idOf('ins', n) })),
    )
  },
}
