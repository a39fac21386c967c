/** Many instances as rows alone: on a node that has no agent, so that nobody looks for their servers. */
import { join } from 'node:path'
import type { Instance } from '../../src/domain/model/instance.ts'
import { newId } from '../../src/main/ids.ts'
import { insertInstance } from '../../src/store/instances.ts'
import { insertNode } from '../../src/store/nodes.ts'
import { insertServer } from '../../src/store/servers.ts'
import { insertShard } from '../../src/store/shards.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'

const perWrite = 500
const portsPerNode = 50_000
const ports = { portMin: 10_000, portMax: 10_000 + portsPerNode - 1 }

/** Inserts the rows through the store, while no platform runs on the data directory. */
export async function insertRows(home: string, tenantId: string, count: number): Promise<void> {
  const store = await openSqliteStore({ path: join(home, 'valkeep.db'), create: false })
  const now = new Date().toISOString()
  const stamps = { createdAt: now, updatedAt: now, revision: 1 }
  const shardId = newId('shard')
  const nodeIds = Array.from({ length: Math.ceil(count / portsPerNode) }, () => newId('node'))
  try {
    await store.write(async (tx) => {
      const node = { address: '192.0.2.1', agent: 'none', capacityMb: 1_000_000_000, ...ports } as const
      for (const id of nodeIds) await insertNode(tx, { id, name: `node-${nodeIds.indexOf(id)}`, ...node, ...stamps })
      await insertShard(tx, { id: shardId, name: 'elsewhere', role: 'valkey', nodeIds, ...stamps })
    })
    for (let from = 0; from < count; from += perWrite) {
      await store.write(async (tx) => {
        for (let at = from; at < Math.min(from + perWrite, count); at++) {
          const port = ports.portMin + (at % portsPerNode)
          const instance = { ...activeInstance(at, port), tenantId, shardId, ...stamps }
          const nodeId = nodeIds[Math.floor(at / portsPerNode)] ?? ''
          await insertInstance(tx, instance)
          await insertServer(tx, { ...newServer(), instanceId: instance.id, nodeId, port, createdAt: now })
        }
      })
    }
  } finally {
    await store.close()
  }
}

type Placed = 'tenantId' | 'shardId' | 'createdAt' | 'updatedAt' | 'revision'

const activeInstance = (at: number, port: number): Omit<Instance, Placed> => ({
  id: newId('instance'),
  name: `row-${at}`,
  port,
  maxMemoryMb: 16,
  settings: {},
  status: 'active',
  statusMessage: null,
  health: 'healthy',
  desiredState: 'running',
  engineVersion: '8.0.1',
  deletionProtection: false,
  generation: 1,
  observedGeneration: 1,
  everActive: true,
  deletedAt: null,
})

const newServer = () => ({
  id: newId('server'),
  role: 'primary' as const,
  engineVersion: '8.0.1',
  adminSecretId: newId('secret'),
  replicationSecretId: newId('secret'),
  monitorSecretId: newId('secret'),
  certificate: null,
})
