import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { User } from '../../src/domain/model/user.ts'
import { deleteApiKey, findApiKey, findApiKeyByHash, insertApiKey, listApiKeys } from '../../src/store/api-keys.ts'
import { insertAuditRow, listAuditRows } from '../../src/store/audit.ts'
import { insertAuthority, listAuthorities } from '../../src/store/authorities.ts'
import { isUniqueViolation } from '../../src/store/errors.ts'
import { deleteAnswersBefore, findAnswer, insertAnswer } from '../../src/store/idempotency.ts'
import { getFact, setFact } from '../../src/store/installation.ts'
import { insertInstance } from '../../src/store/instances.ts'
import { findNode, findNodeByName, findNodes, insertNode, listNodes, nodesOfShard } from '../../src/store/nodes.ts'
import { deleteSecrets, findSecrets, insertSecrets } from '../../src/store/secrets.ts'
import { allShards, deleteShard, findShard, findShardByName, insertShard, listShards } from '../../src/store/shards.ts'
import type { Tx } from '../../src/store/store.ts'
import { deleteTenant, findTenant, findTenantByName, insertTenant, listTenants } from '../../src/store/tenants.ts'
import {
  findUser,
  findUserByName,
  insertUser,
  listUsers,
  nextSessionEnd,
  sessionsDue,
  updateUser,
  usersOfInstance,
} from '../../src/store/users.ts'
import { apiKey, at, auditRow, idOf, instance, node, shard, tenant, user } from './store-rows.ts'
import type { OpenStore, StoreTests } from './store-suite.ts'

const all = { limit: 50, cursor: null }

export const placesTests: StoreTests = {
  'tenants, by id and name': async (t, open) => {
    const store = await open(t)
    const made = [1, 2].map((n) => tenant(n, { maxInstances: n, maxTotalMemoryMb: n * 1024 }))
    for (const row of made) await store.write((tx) => insertTenant(tx, row))
    await store.read(async (db) => {
      assert.deepEqual(await findTenant(db, idOf('ten', 1)), made[0])
      assert.deepEqual(await findTenantByName(db, 'tenant-2'), made[1])
      assert.equal(await findTenantByName(db, 'TENANT-2'), undefined)
      assert.deepEqual((await listTenants(db, all)).items, made)
    })
    await assert.rejects(
      store.write((tx) => insertTenant(tx, tenant(3, { name: 'tenant-1' }))),
      isUniqueViolation,
    )
  },

  'nodes and shards, each with the other': async (t, open) => {
    const store = await open(t)
    const [one, two, three] = [1, 2, 3].map((n) => ({ ...node(n), reservedMb: 0 }))
    const [first, second] = [shard(1, [idOf('nod', 1), idOf('nod', 2)]), shard(2, [idOf('nod', 2)])]
    await store.write(async (tx) => {
      for (const n of [1, 2, 3]) await insertNode(tx, node(n))
      for (const row of [first, second]) await insertShard(tx, row)
    })
    await store.read(async (db) => {
      assert.deepEqual(await findNode(db, idOf('nod', 1)), one)
      assert.deepEqual(await findNodeByName(db, 'node-2'), two)
      assert.deepEqual(await findNodes(db, [idOf('nod', 3), idOf('nod', 1), idOf('nod', 9)]), [one, three])
      assert.deepEqual(await findNodes(db, []), [])
      assert.deepEqual((await listNodes(db, all)).items, [one, two, three])
      assert.deepEqual(await nodesOfShard(db, first.id), [one, two])
      assert.deepEqual(await findShard(db, first.id), first)
      assert.deepEqual(await findShardByName(db, 'shard-2'), second)
      assert.deepEqual((await listShards(db, all)).items, [first, second])
      assert.deepEqual(await allShards(db), [first, second])
      assert.equal(await findShard(db, idOf('shd', 9)), undefined)
    })
    await assert.rejects(
      store.write((tx) => insertShard(tx, shard(3, [idOf('nod', 9)]))),
      /foreign key/i,
    )
    await store.write((tx) => deleteShard(tx, first.id))
    assert.deepEqual(await store.read((db) => allShards(db)), [second])
  },

  'API keys are found by hash, and go with their tenant': async (t, open) => {
    const store = await open(t)
    const made = [
      apiKey(1, { scopes: ['admin', 'metrics'], expiresAt: at(9) }),
      apiKey(2, { tenantId: idOf('ten', 1) }),
    ]
    await store.write(async (tx) => {
      await insertTenant(tx, tenant(1))
      for (const row of [...made, apiKey(3)]) await insertApiKey(tx, row)
    })
    await assert.rejects(store.write((tx) => insertApiKey(tx, { ...apiKey(4), keyHash: apiKey(1).keyHash })))
    const found = (hash: string) => store.read((db) => findApiKeyByHash(db, hash))
    assert.deepEqual(await found(apiKey(1).keyHash), made[0])
    assert.equal(await found('nothing'), undefined)
    await store.write((tx) => deleteApiKey(tx, idOf('key', 3)))
    assert.deepEqual((await store.read((db) => listApiKeys(db, all))).items, made)
    await store.write((tx) => deleteTenant(tx, idOf('ten', 1)))
    assert.equal(await store.read((db) => findApiKey(db, idOf('key', 2))), undefined)
  },
}

const withUsers = async (open: OpenStore, t: TestContext, ...rows: User[]) => {
  const store = await open(t)
  await store.write(async (tx) => {
    for (const n of [1, 2]) await insertInstance(tx, instance(n))
    for (const row of rows) await insertUser(tx, row)
  })
  return store
}

export const usersTests: StoreTests = {
  "users by name, and lists of the tenant's alone": async (t, open) => {
    const made = [
      user(1, { username: 'zoe', privileges: ['read-write'], channelPattern: '&news:*' }),
      user(2, { username: 'session', kind: 'session', expiresAt: at(9) }),
      user(3, { username: 'adam' }),
      user(4, { username: 'gone', status: 'deleted', deletedAt: at(1) }),
      user(5, { username: 'zoe', instanceId: idOf('ins', 2) }),
    ]
    const store = await withUsers(open, t, ...made)
    const [zoe, session, adam] = made
    const of = idOf('ins', 1)
    await store.read(async (db) => {
      assert.deepEqual(await findUserByName(db, of, 'zoe'), zoe)
      assert.equal(await findUserByName(db, of, 'gone'), undefined)
      assert.equal(await findUser(db, idOf('usr', 4)), undefined)
      assert.deepEqual((await listUsers(db, of, all)).items, [zoe, adam])
      assert.deepEqual(await usersOfInstance(db, of), [adam, session, zoe])
      const first = await listUsers(db, of, { limit: 1, cursor: null })
      assert.deepEqual((await listUsers(db, of, { limit: 1, cursor: first.nextCursor })).items, [adam])
    })
    await assert.rejects(
      store.write((tx) => insertUser(tx, user(6, { username: 'zoe' }))),
      isUniqueViolation,
    )
    await store.write((tx) => insertUser(tx, user(7, { username: 'gone' })))
  },

  'a change of a user bumps its revision': async (t, open) => {
    const store = await withUsers(open, t, user(1))
    const patch = { privileges: ['+get'], channelPattern: '&*', generation: 2, updatedAt: at(4) }
    const changed = await store.write((tx) => updateUser(tx, idOf('usr', 1), patch))
    assert.deepEqual(changed, { ...user(1), ...patch, revision: 2 })
    await assert.rejects(
      store.write((tx) => updateUser(tx, idOf('usr', 9), patch)),
      /no user/,
    )
  },

  'sessions whose time is up, and when the next one ends': async (t, open) => {
    const session = (n: number, more = {}) => user(n, { kind: 'session', expiresAt: at(n), ...more })
    const store = await withUsers(
      open,
      t,
      session(3),
      session(2),
      session(9),
      session(1, { status: 'deleting' }),
      session(4, { status: 'deleted', deletedAt: at(0) }),
      user(5),
    )
    const due = await store.read((db) => sessionsDue(db, at(3)))
    assert.deepEqual(
      due.map((row) => row.id),
      [idOf('usr', 2), idOf('usr', 3)],
    )
    assert.equal(await store.read((db) => nextSessionEnd(db)), at(2))
    const end = async (tx: Tx) => {
      for (const n of [2, 3, 9]) await updateUser(tx, idOf('usr', n), { deletedAt: at(9), updatedAt: at(9) })
    }
    await store.write(end)
    assert.equal(await store.read((db) => nextSessionEnd(db)), undefined)
  },
}

export const nounsTests: StoreTests = {
  'sealed secrets and authorities': async (t, open) => {
    const store = await open(t)
    const secret = (n: number) => ({ id: idOf('sec', n), keyId: 'k1', blob: `blob-${n}`, createdAt: at(0) })
    await store.write((tx) => insertSecrets(tx, [1, 2, 3].map(secret)))
    await store.write((tx) => insertSecrets(tx, []))
    const find = (...numbers: number[]) =>
      store.read((db) =>
        findSecrets(
          db,
          numbers.map((n) => idOf('sec', n)),
        ),
      )
    assert.deepEqual(
      [...(await find(2, 1, 9)).values()].sort((a, b) => a.id.localeCompare(b.id)),
      [secret(1), secret(2)],
    )
    assert.equal((await find()).size, 0)
    await store.write((tx) => deleteSecrets(tx, [idOf('sec', 1), idOf('sec', 9)]))
    assert.deepEqual([...(await find(1, 2)).keys()], [idOf('sec', 2)])
    const authority = (n: number) => ({
      id: idOf('sec', n),
      certPem: 'pem',
      keySecretId: idOf('sec', 2),
      notAfter: at(n),
      createdAt: at(n),
    })
    for (const n of [1, 2]) await store.write((tx) => insertAuthority(tx, authority(n)))
    assert.deepEqual(await store.read((db) => listAuthorities(db)), [authority(2), authority(1)])
  },

  'a first answer is kept once per key, until it is old': async (t, open) => {
    const store = await open(t)
    const answer = (n: number) => ({
      apiKeyId: idOf('key', n),
      key: 'retry-1',
      fingerprint: 'f',
      status: 202,
      headers: { location: '/operations/x' },
      body: '{"id":"x"}',
      createdAt: at(n),
    })
    for (const n of [1, 2]) await store.write((tx) => insertAnswer(tx, answer(n)))
    await assert.rejects(
      store.write((tx) => insertAnswer(tx, answer(1))),
      isUniqueViolation,
    )
    await store.write((tx) => deleteAnswersBefore(tx, at(2)))
    assert.equal(await store.read((db) => findAnswer(db, idOf('key', 1), 'retry-1')), undefined)
    assert.deepEqual(await store.read((db) => findAnswer(db, idOf('key', 2), 'retry-1')), answer(2))
  },

  'the audit trail, newest first': async (t, open) => {
    const store = await open(t)
    const rows = [1, 2, 3].map((n) => auditRow(n, n === 2 ? { detail: { from: null }, outcome: 'refused' } : {}))
    for (const row of rows) await store.write((tx) => insertAuditRow(tx, row))
    const first = await store.read((db) => listAuditRows(db, { limit: 2, cursor: null }))
    assert.deepEqual(first.items, [rows[2], rows[1]])
    const rest = await store.read((db) => listAuditRows(db, { limit: 2, cursor: first.nextCursor }))
    assert.deepEqual(rest, { items: [rows[0]], nextCursor: null, hasMore: false })
  },

  'facts of the installation': async (t, open) => {
    const store = await open(t)
    assert.equal(await store.read((db) => getFact(db, 'id')), undefined)
    for (const value of ['a', 'b']) await store.write((tx) => setFact(tx, 'id', value))
    assert.equal(await store.read((db) => getFact(db, 'id')), 'b')
  },
}
