import assert from 'node:assert/strict'
import { it } from 'node:test'
import { at, idOf, instance, operation, user } from '../../../test/integration/store-rows.ts'
import { openTemporary } from '../../../test/integration/store-sqlite-temp.ts'
import { findInstance, insertInstance, updateInstance } from '../../store/instances.ts'
import { findOperation, insertOperation, updateOperation } from '../../store/operations.ts'
import { findUser, insertUser } from '../../store/users.ts'
import { servedUsers } from '../spec.ts'
import type { Look } from './attempt.ts'
import { finishConverged, finishFailed } from './finish.ts'
import { loadInstance } from './load.ts'

const cause = { code: 'users-refused', message: 'set-users: users not applied: user-1' } as const
let audits = 0
const deps = { now: () => at(1), newId: () => idOf('aud', ++audits), portCooldownMs: 0 }

it('gives up a user that was active and is refused now: it is not set again for ever', async (t) => {
  const { store } = await openTemporary(t)
  const after = await store.write(async (tx) => {
    await insertInstance(tx, instance(1, { status: 'provisioning', everActive: true }))
    await insertUser(tx, user(1, { status: 'active', observedGeneration: 1 }))
    await insertOperation(tx, operation(1, { kind: 'repair', status: 'running' }))
    const loaded = await loadInstance(tx, idOf('ins', 1))
    assert.ok(loaded)
    const whole = await finishFailed(deps, tx, loaded, cause, { 'user-1': 'ERR unknown command' })
    assert.equal(whole, false, 'the repair goes on without it')
    return loadInstance(tx, idOf('ins', 1))
  })
  assert.ok(after)
  assert.deepEqual(servedUsers(after), [])
  assert.equal((await store.read((db) => findUser(db, idOf('usr', 1))))?.status, 'failed')
  assert.equal((await store.read((db) => findOperation(db, idOf('op', 1))))?.status, 'running')
})

it('brings a user back with its instance, where not the user was the trouble', async (t) => {
  const { store } = await openTemporary(t)
  const frozen = { code: 'frozen', message: 'process 1 is stopped by a signal' } as const
  const after = await store.write(async (tx) => {
    await insertInstance(tx, instance(1, { status: 'active', everActive: true }))
    await insertUser(tx, user(1, { status: 'provisioning', generation: 2 }))
    await insertOperation(tx, operation(1, { kind: 'user-update', userId: idOf('usr', 1), status: 'running' }))
    const loaded = await loadInstance(tx, idOf('ins', 1))
    assert.ok(loaded)
    await finishFailed(deps, tx, loaded, frozen, {})
    assert.equal((await findUser(tx, idOf('usr', 1)))?.status, 'failed')
    await insertOperation(tx, operation(2, { kind: 'repair', status: 'running' }))
    return loadInstance(tx, idOf('ins', 1))
  })
  assert.ok(after)
  assert.deepEqual(
    servedUsers(after).map(({ id }) => id),
    [idOf('usr', 1)],
  )
  const seen = { spec: { desired: 'running', servers: [] }, observed: { servers: {} } } as unknown as Look
  await store.write((tx) => finishConverged(deps, tx, after, seen))
  const served = await store.read((db) => findUser(db, idOf('usr', 1)))
  assert.deepEqual([served?.status, served?.statusMessage, served?.observedGeneration], ['active', null, 2])
})

it('forgets what an operation changed once it is over: a replaced password is nowhere kept', async (t) => {
  const { store } = await openTemporary(t)
  await store.write(async (tx) => {
    await insertInstance(tx, instance(1, { status: 'provisioning', everActive: true }))
    await insertUser(tx, user(1, { status: 'provisioning' }))
    const undo = { privileges: [], password: { keyId: 'k', blob: 'b' } }
    await insertOperation(tx, operation(1, { kind: 'user-update', userId: idOf('usr', 1), status: 'running', undo }))
    const loaded = await loadInstance(tx, idOf('ins', 1))
    assert.ok(loaded)
    await finishFailed(deps, tx, loaded, cause, {})
  })
  const over = await store.read((db) => findOperation(db, idOf('op', 1)))
  assert.deepEqual([over?.status, over?.undo], ['failed', null])
})

it('leaves a cancelled create failed though its servers were seen to serve', async (t) => {
  const { store } = await openTemporary(t)
  const after = await store.write(async (tx) => {
    await insertInstance(tx, instance(1, { status: 'provisioning' }))
    await insertOperation(tx, operation(1, { status: 'running' }))
    const loaded = await loadInstance(tx, idOf('ins', 1))
    assert.ok(loaded)
    await updateInstance(tx, idOf('ins', 1), { status: 'failed', updatedAt: at(1) })
    await updateOperation(tx, idOf('op', 1), { status: 'cancelled', updatedAt: at(1) })
    const seen: Look = {
      spec: { instanceId: idOf('ins', 1), desired: 'running', everActive: false, servers: [], accept: { data: null } },
      observed: { servers: {} },
      next: { state: 'converged' },
    }
    await finishConverged(deps, tx, loaded, seen)
    return findInstance(tx, idOf('ins', 1))
  })
  // Never active, so that no repair brings it to life again.
  assert.deepEqual([after?.status, after?.everActive, after?.observedGeneration], ['failed', false, 0])
})
