import assert from 'node:assert/strict'
import { addReserved, findNode, insertNode, updateNode } from '../../src/store/nodes.ts'
import { allocatePort, blockPort, releasePort } from '../../src/store/ports.ts'
import type { Store } from '../../src/store/store.ts'
import { at, idOf, node } from './store-rows.ts'
import type { StoreTests } from './store-suite.ts'

const nodeId = idOf('nod', 1)
const allocate = (store: Store, now = 0) => store.write((tx) => allocatePort(tx, nodeId, idOf('srv', 1), at(now)))
const onNode = async (store: Store, portMin: number, portMax: number) =>
  store.write((tx) => insertNode(tx, node(1, { portMin, portMax })))

export const portsTests: StoreTests = {
  '200 parallel writes never get one port twice': async (t, open) => {
    const store = await open(t)
    await onNode(store, 20_000, 20_199)
    const ports = await Promise.all(Array.from({ length: 200 }, () => allocate(store)))
    assert.equal(new Set(ports).size, 200)
    assert.ok(ports.every((port) => port !== undefined && port >= 20_000 && port <= 20_199))
    assert.equal(await allocate(store), undefined)
  },

  'a port rests while there are others, and until its cool-down is over': async (t, open) => {
    const store = await open(t)
    await onNode(store, 20_000, 20_002)
    assert.equal(await allocate(store), 20_000)
    await store.write((tx) => releasePort(tx, nodeId, 20_000, at(10)))
    assert.equal(await allocate(store), 20_001)
    assert.equal(await allocate(store), 20_002)
    assert.equal(await allocate(store, 9), undefined, 'cooling')
    assert.equal(await allocate(store, 10), 20_000, 'cooled')
    assert.equal(await allocate(store, 1000), undefined, 'all held')
  },

  'a port that a stranger holds is skipped, and ours no more': async (t, open) => {
    const store = await open(t)
    await onNode(store, 20_000, 20_003)
    await store.write((tx) => blockPort(tx, nodeId, 20_001, at(100)))
    assert.equal(await allocate(store), 20_000)
    assert.equal(await allocate(store), 20_002)
    await store.write((tx) => blockPort(tx, nodeId, 20_002, at(50)))
    assert.equal(await allocate(store), 20_003)
    assert.equal(await allocate(store, 49), undefined)
    assert.equal(await allocate(store, 50), 20_002)
    assert.equal(await allocate(store, 100), 20_001)
  },

  'gaps are found among 10,000 held ports, behind and ahead': async (t, open) => {
    const store = await open(t)
    await onNode(store, 20_000, 30_000)
    const held = Array.from({ length: 10_001 }, (_, n) => ({
      node_id: nodeId,
      port: 20_000 + n,
      server_id: idOf('srv', n),
      free_after: null,
    }))
    await store.write(async (tx) => {
      for (let n = 0; n < held.length; n += 1000) {
        await tx
          .insertInto('ports')
          .values(held.slice(n, n + 1000))
          .execute()
      }
    })
    assert.equal(await allocate(store), undefined)
    for (const port of [20_500, 29_000]) await store.write((tx) => releasePort(tx, nodeId, port, at(1)))
    assert.equal(await allocate(store, 1), 20_500)
    assert.equal(await allocate(store, 1), 29_000)
    assert.equal(await allocate(store, 1), undefined)
  },

  'the range may move; ports of another node do not matter': async (t, open) => {
    const store = await open(t)
    await onNode(store, 20_000, 20_009)
    await store.write((tx) => insertNode(tx, node(2, { portMin: 20_000, portMax: 20_000 })))
    assert.equal(await allocate(store), 20_000)
    assert.equal(await store.write((tx) => allocatePort(tx, idOf('nod', 2), idOf('srv', 9), at(0))), 20_000)
    await store.write((tx) => updateNode(tx, nodeId, { portMin: 21_000, portMax: 21_000, updatedAt: at(1) }))
    assert.equal(await allocate(store), 21_000)
    assert.equal(await allocate(store), undefined)
  },

  'what is reserved is a sum, and never less than nothing': async (t, open) => {
    const store = await open(t)
    await onNode(store, 20_000, 20_009)
    await Promise.all([1, 2, 3, 4].map((mb) => store.write((tx) => addReserved(tx, nodeId, mb))))
    assert.equal(await store.write((tx) => addReserved(tx, nodeId, -4)), 6)
    await assert.rejects(
      store.write((tx) => addReserved(tx, nodeId, -7)),
      /less than nothing/,
    )
    const found = await store.read((db) => findNode(db, nodeId))
    assert.equal(found?.reservedMb, 6)
    assert.equal(found?.revision, 1)
  },
}
