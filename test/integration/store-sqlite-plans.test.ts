/** Every query of the store at 100,000 instances: what SQLite says it will do. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { Kysely, SqliteDialect } from 'kysely'
import * as apiKeys from '../../src/store/api-keys.ts'
import * as audit from '../../src/store/audit.ts'
import * as authorities from '../../src/store/authorities.ts'
import * as counts from '../../src/store/counts.ts'
import * as idempotency from '../../src/store/idempotency.ts'
import * as installation from '../../src/store/installation.ts'
import * as instances from '../../src/store/instances.ts'
import * as nodes from '../../src/store/nodes.ts'
import * as history from '../../src/store/operation-history.ts'
import * as operations from '../../src/store/operations.ts'
import * as ports from '../../src/store/ports.ts'
import type { Database } from '../../src/store/schema.ts'
import * as secrets from '../../src/store/secrets.ts'
import * as servers from '../../src/store/servers.ts'
import * as shards from '../../src/store/shards.ts'
import { makePrepare } from '../../src/store/sqlite-shim.ts'
import type { Tx } from '../../src/store/store.ts'
import * as tenants from '../../src/store/tenants.ts'
import * as users from '../../src/store/users.ts'
import {
  apiKey,
  at,
  auditRow,
  idOf,
  instance,
  node,
  operation,
  server,
  shard,
  step,
  tenant,
  user,
} from './store-rows.ts'
import { insertOneOfEach } from './store-sample.ts'
import { fillInstances, openTemporary } from './store-sqlite-temp.ts'

const nouns = {
  ...{ ...tenants, ...nodes, ...shards, ...instances, ...servers, ...ports, ...users, ...operations, ...history },
  ...{ ...secrets, ...authorities, ...apiKeys, ...idempotency, ...audit, ...installation, ...counts },
}

const next = { limit: 50, cursor: null }
const [ten, nod, shd, ins, srv, usr, op] = ['ten', 'nod', 'shd', 'ins', 'srv', 'usr', 'op'].map((p) => idOf(p, 1)) as [
  ...string[],
] as [string, string, string, string, string, string, string]
const many = (prefix: string) => Array.from({ length: 50 }, (_, n) => idOf(prefix, n + 1))

/** Each query with arguments like those of every day; a list with each of its filters. */
const queries: Record<keyof typeof nouns, ((tx: Tx) => Promise<unknown>)[]> = {
  insertTenant: [(tx) => tenants.insertTenant(tx, tenant(7))],
  findTenant: [(tx) => tenants.findTenant(tx, ten)],
  findTenantByName: [(tx) => tenants.findTenantByName(tx, 'tenant-1')],
  listTenants: [(tx) => tenants.listTenants(tx, next)],
  updateTenant: [
    (tx) => tenants.updateTenant(tx, idOf('ten', 7), { maxInstances: 1, maxTotalMemoryMb: null, updatedAt: at(1) }),
  ],
  deleteTenant: [(tx) => tenants.deleteTenant(tx, idOf('ten', 7))],
  tenantUsage: [(tx) => tenants.tenantUsage(tx, ten)],
  insertNode: [(tx) => nodes.insertNode(tx, node(7))],
  findNode: [(tx) => nodes.findNode(tx, nod)],
  findNodeByName: [(tx) => nodes.findNodeByName(tx, 'node-1')],
  findNodes: [(tx) => nodes.findNodes(tx, many('nod'))],
  listNodes: [(tx) => nodes.listNodes(tx, next)],
  nodesOfShard: [(tx) => nodes.nodesOfShard(tx, shd)],
  updateNode: [(tx) => nodes.updateNode(tx, nod, { capacityMb: 1, updatedAt: at(1) })],
  addReserved: [(tx) => nodes.addReserved(tx, nod, 64)],
  insertShard: [(tx) => shards.insertShard(tx, shard(7, [nod]))],
  findShard: [(tx) => shards.findShard(tx, shd)],
  findShardByName: [(tx) => shards.findShardByName(tx, 'shard-1')],
  allShards: [(tx) => shards.allShards(tx)],
  listShards: [(tx) => shards.listShards(tx, next)],
  isShardEmpty: [(tx) => shards.isShardEmpty(tx, shd)],
  deleteShard: [(tx) => shards.deleteShard(tx, idOf('shd', 7))],
  insertInstance: [(tx) => instances.insertInstance(tx, instance(200_000))],
  findInstance: [(tx) => instances.findInstance(tx, ins)],
  findAnyInstance: [(tx) => instances.findAnyInstance(tx, ins)],
  findInstanceByName: [null, ten].map((tenantId) => (tx) => instances.findInstanceByName(tx, tenantId, 'name-9')),
  listInstances: [{}, { tenantId: null }, { tenantId: ten }].map((f) => (tx) => instances.listInstances(tx, f, next)),
  listInstanceIds: [(tx) => instances.listInstanceIds(tx, ins, 500)],
  updateInstance: [(tx) => instances.updateInstance(tx, ins, { status: 'failed', updatedAt: at(1) })],
  setInstanceHealth: [(tx) => instances.setInstanceHealth(tx, ins, { health: 'healthy', reason: null })],
  insertServer: [(tx) => servers.insertServer(tx, server(7))],
  serversOfInstances: [(tx) => servers.serversOfInstances(tx, many('ins'))],
  updateServer: [(tx) => servers.updateServer(tx, srv, { port: 25_000 })],
  deleteServer: [(tx) => servers.deleteServer(tx, idOf('srv', 7))],
  serversOfNode: [(tx) => servers.serversOfNode(tx, nod)],
  serversToRenew: [(tx) => servers.serversToRenew(tx, at(1), 10)],
  allocatePort: [(tx) => ports.allocatePort(tx, nod, srv, at(1))],
  releasePort: [(tx) => ports.releasePort(tx, nod, 20_000, at(1))],
  blockPort: [(tx) => ports.blockPort(tx, nod, 20_000, at(1))],
  insertUser: [(tx) => users.insertUser(tx, user(7))],
  findUser: [(tx) => users.findUser(tx, usr)],
  findUserByName: [(tx) => users.findUserByName(tx, ins, 'user-1')],
  listUsers: [(tx) => users.listUsers(tx, ins, next)],
  usersOfInstance: [(tx) => users.usersOfInstance(tx, ins)],
  countUsers: [(tx) => users.countUsers(tx, ins)],
  updateUser: [(tx) => users.updateUser(tx, usr, { status: 'active', updatedAt: at(1) })],
  sessionsDue: [(tx) => users.sessionsDue(tx, at(1))],
  nextSessionEnd: [(tx) => users.nextSessionEnd(tx)],
  insertOperation: [(tx) => operations.insertOperation(tx, operation(200_000))],
  findOperation: [(tx) => operations.findOperation(tx, op)],
  listOperations: [
    {},
    { tenantId: ten },
    { instanceId: ins },
    { status: 'failed' } as const,
    { tenantId: ten, status: 'failed' } as const,
    { instanceId: ins, status: 'failed' } as const,
    { tenantId: ten, instanceId: ins, status: 'failed' } as const,
  ].map((filter) => (tx) => operations.listOperations(tx, filter, next)),
  openOperations: [(tx) => operations.openOperations(tx, ins)],
  deletesOfInstance: [(tx) => operations.deletesOfInstance(tx, ins)],
  instancesWithOpenOperations: [(tx) => operations.instancesWithOpenOperations(tx)],
  updateOperation: [(tx) => operations.updateOperation(tx, op, { status: 'running', updatedAt: at(1) })],
  instanceOfServer: [(tx) => operations.instanceOfServer(tx, srv)],
  countSteps: [(tx) => operations.countSteps(tx, many('op'))],
  saveSteps: [(tx) => operations.saveSteps(tx, op, [step(1), step(2)])],
  lastKindEnded: [null, usr].map((userId) => (tx) => history.lastKindEnded(tx, ins, userId, ['failed'])),
  moveOperations: [(tx) => history.moveOperations(tx, ins, ten)],
  insertSecrets: [(tx) => secrets.insertSecrets(tx, [{ id: idOf('sec', 7), keyId: 'k', blob: 'b', createdAt: at(0) }])],
  findSecrets: [(tx) => secrets.findSecrets(tx, many('sec'))],
  deleteSecrets: [(tx) => secrets.deleteSecrets(tx, many('sec'))],
  insertAuthority: [
    (tx) =>
      authorities.insertAuthority(tx, { id: 'x', certPem: '', keySecretId: '', notAfter: at(1), createdAt: at(0) }),
  ],
  listAuthorities: [(tx) => authorities.listAuthorities(tx)],
  insertApiKey: [(tx) => apiKeys.insertApiKey(tx, apiKey(7))],
  findApiKey: [(tx) => apiKeys.findApiKey(tx, idOf('key', 1))],
  findApiKeyByHash: [(tx) => apiKeys.findApiKeyByHash(tx, 'hash')],
  listApiKeys: [(tx) => apiKeys.listApiKeys(tx, next)],
  deleteApiKey: [(tx) => apiKeys.deleteApiKey(tx, idOf('key', 7))],
  findAnswer: [(tx) => idempotency.findAnswer(tx, idOf('key', 1), 'k')],
  insertAnswer: [
    (tx) =>
      idempotency.insertAnswer(tx, {
        ...{ apiKeyId: 'x', key: 'k', fingerprint: 'f', status: 200 },
        ...{ headers: {}, body: '', createdAt: at(0) },
      }),
  ],
  deleteAnswersBefore: [(tx) => idempotency.deleteAnswersBefore(tx, at(0))],
  insertAuditRow: [(tx) => audit.insertAuditRow(tx, auditRow(7))],
  listAuditRows: [(tx) => audit.listAuditRows(tx, next)],
  getFact: [(tx) => installation.getFact(tx, 'id')],
  setFact: [(tx) => installation.setFact(tx, 'id', 'x')],
  countOperations: [(tx) => counts.countOperations(tx)],
  countInstances: [(tx) => counts.countInstances(tx)],
}

/** Read from the index alone, row by row of it. */
const covered: Record<string, string> = {
  tenantUsage: 'SEARCH instances USING COVERING INDEX instances_tenant_alive (tenant_id=?)',
  listInstanceIds: 'SEARCH instances USING COVERING INDEX instances_alive (id>?)',
}

/** Asked for everything an index holds: they walk that index, and nothing else. */
const walks: Record<string, string> = {
  countInstances: 'SCAN instances USING COVERING INDEX instances_state',
  countOperations: 'SCAN operations USING COVERING INDEX operations_state',
}

async function fullDatabase(t: TestContext): Promise<DatabaseSync> {
  const { store, path } = await openTemporary(t)
  await store.write(insertOneOfEach)
  await store.close()
  const database = new DatabaseSync(path)
  t.after(() => database.close())
  database.exec(
    'pragma foreign_keys = on; pragma synchronous = off; delete from operation_steps; delete from operations',
  )
  database.exec('delete from servers; delete from users; delete from instances')
  fillInstances(database, 100_000, idOf('ten', 1))
  database.exec(`
    insert into operations (id, kind, instance_id, tenant_id, target_generation, status, attempts, actor, created_at,
      updated_at, revision)
    select 'op_' || substr(id, 5), 'create', id, tenant_id, 1, 'succeeded', 1, 'key:admin', created_at, updated_at, 1
    from instances`)
  return database
}

test('every query finds its rows by an index, in the order it answers them', async (t) => {
  const database = await fullDatabase(t)
  const prepare = makePrepare(database)
  const texts = new Map<string, number>()
  const record = (sql: string) => {
    const statement = prepare(sql)
    const keep = (parameters: readonly unknown[]) => texts.set(sql, parameters.length)
    return {
      ...statement,
      all: (parameters: readonly unknown[]) => keep(parameters) && statement.all(parameters),
      run: (parameters: readonly unknown[]) => keep(parameters) && statement.run(parameters),
    }
  }
  const dialect = new SqliteDialect({ database: { prepare: record as typeof prepare, close: () => {} } })
  const db = new Kysely<Database>({ dialect })
  const seed = [user(1), user(2, { kind: 'session', expiresAt: at(0) })]
  for (const row of seed) await users.insertUser(db, row)
  await servers.insertServer(db, server(1))

  const complaints: string[] = []
  for (const [name, variants] of Object.entries(queries)) {
    for (const query of variants) {
      texts.clear()
      await query(db)
      assert.ok(texts.size > 0, `${name} asked nothing`)
      for (const [sql, count] of texts) {
        // No parameter changes a plan here: conditions of partial indexes are spelled out.
        const rows = database.prepare(`explain query plan ${sql}`).all(...Array<null>(count).fill(null))
        for (const detail of rows.map((row) => String(row['detail']))) {
          const constant = /^SCAN (CONSTANT ROW|\d+-ROW VALUES CLAUSE)$/.test(detail)
          const asked = walks[name] ?? covered[name]
          const fine = asked === undefined ? constant || !/SCAN|TEMP B-TREE/.test(detail) : detail === asked
          if (!fine) complaints.push(`${name}: ${detail}\n  ${sql}`)
        }
      }
    }
  }
  assert.deepEqual(complaints, [])
  assert.deepEqual(Object.keys(queries).sort(), Object.keys(nouns).sort())
})
