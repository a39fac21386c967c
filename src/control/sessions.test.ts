import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { openTemporary } from '../../test/integration/store-sqlite-temp.ts'
import { at, idOf, instance, node, server, user } from '../../test/integration/store-rows.ts'
import { insertInstance } from '../store/instances.ts'
import { insertNode } from '../store/nodes.ts'
import { openOperations } from '../store/operations.ts'
import { insertServer } from '../store/servers.ts'
import type { Store } from '../store/store.ts'
import { insertUser } from '../store/users.ts'
import { makeSessionEnds } from './sessions.ts'

it('ends a session later where the store could not write at its time', async (t) => {
  const { store } = await openTemporary(t)
  await store.write(async (tx) => {
    await insertNode(tx, node(1))
    await insertInstance(tx, instance(1, { status: 'active' }))
    await insertServer(tx, server(1))
    await insertUser(tx, user(1, { kind: 'session', expiresAt: at(10), status: 'active' }))
  })
  let full = true
  const fillable: Store = {
    ...store,
    write: (fn) => (full ? Promise.reject(new Error('the disk is full')) : store.write(fn)),
  }
  const woken = Promise.withResolvers<string>()
  const failed = Promise.withResolvers<unknown>()
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const ends = makeSessionEnds({
    store: fillable,
    driver: { wake: woken.resolve },
    newId: (noun) => idOf(noun, 1),
    now: () => at(20),
    onError: failed.resolve,
  })
  ends.changed()
  assert.match(String(await failed.promise), /the disk is full/)
  full = false
  await setImmediate()
  t.mock.timers.tick(30_000)
  assert.equal(await woken.promise, idOf('ins', 1))
  const [open] = await store.read((db) => openOperations(db, idOf('ins', 1)))
  assert.equal(open?.kind, 'session-end')
  ends.stop()
})
