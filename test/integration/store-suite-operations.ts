import assert from 'node:assert/strict'
import type { Operation } from '../../src/domain/model/operation.ts'
import { insertInstance } from '../../src/store/instances.ts'
import {
  deletesOfInstance,
  findOperation,
  insertOperation,
  instancesWithOpenOperations,
  listOperations,
  type OperationFilter,
  openOperations,
  saveSteps,
  updateOperation,
} from '../../src/store/operations.ts'
import type { Store } from '../../src/store/store.ts'
import { insertTenant } from '../../src/store/tenants.ts'
import { at, idOf, instance, operation, step, tenant } from './store-rows.ts'
import type { StoreTests } from './store-suite.ts'

const withInstances = async (store: Store, operations: Operation[]) =>
  store.write(async (tx) => {
    await insertTenant(tx, tenant(1))
    for (const n of [1, 2]) await insertInstance(tx, instance(n))
    for (const row of operations) await insertOperation(tx, row)
  })

export const operationsTests: StoreTests = {
  'an operation and its steps come back as they were': async (t, open) => {
    const store = await open(t)
    const made = operation(1, {
      cause: { code: 'port-taken', message: 'a stranger holds 20000' },
      undo: { maxMemoryMb: 64 },
      acceptData: 'rdb',
    })
    await withInstances(store, [made])
    await store.write((tx) => saveSteps(tx, made.id, [step(2), step(1)]))
    assert.deepEqual(await store.read((db) => findOperation(db, made.id)), { ...made, steps: [step(1), step(2)] })
    const ended = step(2, { status: 'failed', error: 'no', finishedAt: at(3), attempt: 2 })
    await store.write((tx) => saveSteps(tx, made.id, [ended, step(3)]))
    const found = await store.read((db) => findOperation(db, made.id))
    assert.deepEqual(found?.steps, [step(1), ended, step(3)])
    assert.equal(await store.read((db) => findOperation(db, idOf('op', 9))), undefined)
    await assert.rejects(store.write((tx) => saveSteps(tx, idOf('op', 9), [step(1)])))
  },

  'a change bumps the revision and keeps the rest': async (t, open) => {
    const store = await open(t)
    await withInstances(store, [operation(1, { note: 'n' })])
    const patch = { status: 'running', attempts: 1, startedAt: at(1), cause: null, updatedAt: at(1) } as const
    const changed = await store.write((tx) => updateOperation(tx, idOf('op', 1), patch))
    assert.deepEqual(changed, { ...operation(1, { note: 'n' }), ...patch, revision: 2 })
    await assert.rejects(
      store.write((tx) => updateOperation(tx, idOf('op', 2), patch)),
      /no operation/,
    )
  },

  'operations are listed newest first, by tenant, instance and status': async (t, open) => {
    const store = await open(t)
    await withInstances(
      store,
      [1, 2, 3, 4, 5, 6].map((n) =>
        operation(n, {
          tenantId: n <= 4 ? idOf('ten', 1) : null,
          instanceId: idOf('ins', n % 2 === 0 ? 2 : 1),
          status: n % 3 === 0 ? 'failed' : 'succeeded',
        }),
      ),
    )
    await store.write((tx) => saveSteps(tx, idOf('op', 5), [step(1)]))
    const numbers = async (filter: OperationFilter, limit = 50) => {
      const found: number[] = []
      for (let cursor: string | null = null; ; ) {
        const page = await store.read((db) => listOperations(db, filter, { limit, cursor }))
        for (const item of page.items) {
          found.push(Number.parseInt(item.id.slice(-2), 16))
          assert.deepEqual(item.steps, item.id === idOf('op', 5) ? [step(1)] : [])
        }
        if (page.nextCursor === null) return found
        cursor = page.nextCursor
      }
    }
    assert.deepEqual(await numbers({}), [6, 5, 4, 3, 2, 1])
    assert.deepEqual(await numbers({}, 2), [6, 5, 4, 3, 2, 1])
    assert.deepEqual(await numbers({}, 4), [6, 5, 4, 3, 2, 1])
    assert.deepEqual(await numbers({ tenantId: idOf('ten', 1) }, 1), [4, 3, 2, 1])
    assert.deepEqual(await numbers({ instanceId: idOf('ins', 2) }), [6, 4, 2])
    assert.deepEqual(await numbers({ status: 'failed' }), [6, 3])
    assert.deepEqual(await numbers({ tenantId: idOf('ten', 1), status: 'failed' }), [3])
    assert.deepEqual(await numbers({ instanceId: idOf('ins', 2), status: 'failed', tenantId: idOf('ten', 1) }), [])
  },

  'what is open, and what was asked to end': async (t, open) => {
    const store = await open(t)
    const [userId, gone] = [idOf('usr', 1), idOf('usr', 2)]
    await withInstances(store, [
      operation(1, { status: 'succeeded' }),
      operation(3, { status: 'pending', kind: 'user-delete', userId }),
      operation(2, { status: 'running' }),
      operation(4, { status: 'succeeded', kind: 'user-delete', userId: gone }),
      operation(5, { status: 'cancelled', kind: 'delete' }),
      operation(6, { status: 'failed', instanceId: idOf('ins', 2), kind: 'delete' }),
    ])
    const ids = (rows: { id: string }[]) => rows.map((row) => row.id)
    assert.deepEqual(ids(await store.read((db) => openOperations(db, idOf('ins', 1)))), [idOf('op', 2), idOf('op', 3)])
    assert.deepEqual(await store.read((db) => openOperations(db, idOf('ins', 2))), [])
    assert.deepEqual(await store.read((db) => instancesWithOpenOperations(db)), [idOf('ins', 1)])
    assert.deepEqual(await store.read((db) => deletesOfInstance(db, idOf('ins', 1))), [{ userId }])
    assert.deepEqual(await store.read((db) => deletesOfInstance(db, idOf('ins', 2))), [{ userId: null }])
  },
}
