import assert from 'node:assert/strict'
import { CommitFailed, isUniqueViolation, StoreClosed, TransactionHung } from '../../src/store/errors.ts'
import { getFact, setFact } from '../../src/store/installation.ts'
import type { Tx } from '../../src/store/store.ts'
import { findTenant, insertTenant, listTenants } from '../../src/store/tenants.ts'
import { idOf, tenant } from './store-rows.ts'
import type { StoreTests } from './store-suite.ts'

const count = async (db: Tx) => (await listTenants(db, { limit: 1000, cursor: null })).items.length

export const commitTests: StoreTests = {
  '100 writes at once take far fewer commits, and all are there': async (t, open) => {
    const groups: number[] = []
    const store = await open(t, { onCommit: (writes) => groups.push(writes) })
    const numbers = Array.from({ length: 100 }, (_, n) => n)
    await Promise.all(numbers.map((n) => store.write((tx) => insertTenant(tx, tenant(n)))))
    assert.equal(
      groups.reduce((a, b) => a + b, 0),
      100,
    )
    assert.ok(groups.length <= 25, `${groups.length} commits`)
    assert.equal(await store.read(count), 100)
  },

  'a write that fails fails alone, with its own error': async (t, open) => {
    const store = await open(t)
    await store.write((tx) => insertTenant(tx, tenant(0)))
    const results = await Promise.allSettled(
      [1, 2, 3, 4].map((n) =>
        store.write(async (tx) => {
          await insertTenant(tx, tenant(n))
          if (n === 2) throw new Error('a person changed their mind')
          if (n === 3) await insertTenant(tx, tenant(100, { name: 'tenant-0' }))
        }),
      ),
    )
    assert.deepEqual(
      results.map((r) => r.status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    )
    const [, second, third] = results as PromiseRejectedResult[]
    assert.equal(second?.reason.message, 'a person changed their mind')
    assert.ok(isUniqueViolation(third?.reason))
    assert.equal(isUniqueViolation(second?.reason), false)
    const names = await store.read((db) => listTenants(db, { limit: 10, cursor: null }))
    assert.deepEqual(
      names.items.map((item) => item.name),
      ['tenant-0', 'tenant-1', 'tenant-4'],
    )
  },

  'one write sees what those before it wrote, and answers with what it returns': async (t, open) => {
    const store = await open(t)
    const add = () =>
      store.write(async (tx) => {
        const next = Number((await getFact(tx, 'counter')) ?? 0) + 1
        await setFact(tx, 'counter', String(next))
        return next
      })
    const answers = await Promise.all(Array.from({ length: 200 }, add))
    assert.deepEqual(
      answers,
      Array.from({ length: 200 }, (_, n) => n + 1),
    )
  },

  'a read never sees what is not committed': async (t, open) => {
    const store = await open(t)
    const inserted = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const write = store.write(async (tx) => {
      await insertTenant(tx, tenant(1))
      inserted.resolve()
      await goOn.promise
      throw new Error('rolled back')
    })
    await inserted.promise
    const read = store.read(count)
    goOn.resolve()
    await assert.rejects(write, /rolled back/)
    assert.equal(await read, 0)
  },

  'reads go between groups of writes, not behind all of them': async (t, open) => {
    const store = await open(t)
    let done = 0
    const writes = Array.from({ length: 500 }, (_, n) =>
      store
        .write((tx) => insertTenant(tx, tenant(n)))
        .then(() => {
          done++
        }),
    )
    await writes[0]
    const read = store.read(count).then((seen) => ({ seen, done }))
    await Promise.all(writes)
    const { seen, done: before } = await read
    assert.ok(seen > 0 && seen < 500, `${seen} rows seen`)
    assert.ok(before < 500, `the read came after ${before} writes`)
  },

  'a read cannot write': async (t, open) => {
    const store = await open(t)
    await assert.rejects(store.read((db) => insertTenant(db, tenant(1))))
    assert.equal(await store.read(count), 0)
    await store.write((tx) => insertTenant(tx, tenant(1)))
    assert.equal(await store.read(count), 1)
  },

  'a function that hangs is reported and rolled back, the others go on': async (t, open) => {
    const store = await open(t, { maxRunMs: 100 })
    const never = new Promise<void>(() => {})
    const hung = store.write(async (tx) => {
      await insertTenant(tx, tenant(1))
      await never
    })
    const nested = store.write(async (tx) => {
      await insertTenant(tx, tenant(2))
      await store.write((inner) => insertTenant(inner, tenant(3)))
    })
    const other = store.write((tx) => insertTenant(tx, tenant(4)))
    await assert.rejects(hung, TransactionHung)
    await assert.rejects(nested, TransactionHung)
    await other
    await assert.rejects(
      store.read(() => never),
      TransactionHung,
    )
    assert.equal(await store.read((db) => findTenant(db, idOf('ten', 1))), undefined)
    assert.equal(await store.read((db) => findTenant(db, idOf('ten', 2))), undefined)
    assert.equal(await store.read((db) => findTenant(db, idOf('ten', 4))).then((row) => row?.name), 'tenant-4')
  },

  "what a failed function left under way does not land in somebody else's write": async (t, open) => {
    const store = await open(t)
    const late = Promise.withResolvers<void>()
    const failed = store.write((tx) =>
      Promise.all([
        Promise.reject(new Error('first')),
        insertTenant(tx, tenant(1))
          .then(() => insertTenant(tx, tenant(2)))
          .then(late.resolve, late.reject),
      ]),
    )
    const next = store.write((tx) => insertTenant(tx, tenant(3)))
    await assert.rejects(failed, /first/)
    await assert.rejects(late.promise, /has ended/)
    await next
    const { items } = await store.read((db) => listTenants(db, { limit: 10, cursor: null }))
    assert.deepEqual(
      items.map((item) => item.name),
      ['tenant-3'],
    )
  },

  'close lets what was asked for end, and refuses the rest': async (t, open) => {
    const store = await open(t)
    const writes = [1, 2, 3].map((n) => store.write((tx) => insertTenant(tx, tenant(n))))
    const closing = store.close()
    await assert.rejects(
      store.write((tx) => insertTenant(tx, tenant(4))),
      StoreClosed,
    )
    await assert.rejects(store.read(count), StoreClosed)
    await Promise.all(writes)
    await closing
    await store.close()
  },

  'a transaction ended from inside fails its group as one, and the next goes on': async (t, open) => {
    const store = await open(t)
    const { sql } = await import('kysely')
    const results = await Promise.allSettled([
      store.write((tx) => insertTenant(tx, tenant(1))),
      store.write((tx) => sql`rollback`.execute(tx)),
    ])
    for (const result of results) {
      assert.equal(result.status, 'rejected')
      assert.ok(result.reason instanceof CommitFailed)
    }
    await store.write((tx) => insertTenant(tx, tenant(2)))
    assert.equal(await store.read(count), 1)
  },
}
