/** Rows for the store's tests: plain values, each with an id of its own. */
import type { ApiKey } from '../../src/domain/model/api-key.ts'
import type { AuditRow } from '../../src/domain/model/audit.ts'
import type { Instance } from '../../src/domain/model/instance.ts'
import type { Node } from '../../src/domain/model/node.ts'
import type { Operation, OperationStep } from '../../src/domain/model/operation.ts'
import type { Server } from '../../src/domain/model/server.ts'
import type { Shard } from '../../src/domain/model/shard.ts'
import type { Tenant } from '../../src/domain/model/tenant.ts'
import type { User } from '../../src/domain/model/user.ts'

/** The n-th moment. */
export const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString()
/** The n-th id of a noun; like real ones they sort by age. */
export const idOf = (prefix: string, n: number): string => `${prefix}_${n.toString(16).padStart(32, '0')}`

const stamps = { createdAt: at(0), updatedAt: at(0), revision: 1 }

export const tenant = (n: number, more: Partial<Tenant> = {}): Tenant => ({
  id: idOf('ten', n),
  name: `tenant-${n}`,
  maxInstances: null,
  maxTotalMemoryMb: null,
  ...stamps,
  ...more,
})

export const node = (n: number, more: Partial<Node> = {}): Node => ({
  id: idOf('nod', n),
  name: `node-${n}`,
  address: '127.0.0.1',
  agent: 'none',
  capacityMb: 1024,
  portMin: 20_000,
  portMax: 20_999,
  ...stamps,
  ...more,
})

export const shard = (n: number, nodeIds: string[]): Shard => ({
  id: idOf('shd', n),
  name: `shard-${n}`,
  role: 'valkey',
  nodeIds,
  ...stamps,
})

export const instance = (n: number, more: Partial<Instance> = {}): Instance => ({
  id: idOf('ins', n),
  tenantId: null,
  name: `instance-${n}`,
  shardId: null,
  port: 20_000,
  maxMemoryMb: 64,
  settings: {},
  status: 'pending',
  statusMessage: null,
  health: 'unknown',
  desiredState: 'running',
  engineVersion: '8.0.1',
  deletionProtection: false,
  generation: 1,
  observedGeneration: 0,
  everActive: false,
  deletedAt: null,
  ...stamps,
  ...more,
})

export const server = (n: number, more: Partial<Server> = {}): Server => ({
  id: idOf('srv', n),
  instanceId: idOf('ins', n),
  nodeId: idOf('nod', 1),
  port: 20_000 + n,
  role: 'primary',
  engineVersion: '8.0.1',
  adminSecretId: idOf('sec', 1),
  replicationSecretId: idOf('sec', 2),
  monitorSecretId: idOf('sec', 3),
  certificate: null,
  createdAt: at(0),
  ...more,
})

export const user = (n: number, more: Partial<User> = {}): User => ({
  id: idOf('usr', n),
  instanceId: idOf('ins', 1),
  username: `user-${n}`,
  privileges: ['+@read'],
  keyPattern: '~*',
  channelPattern: null,
  passwordSecretId: idOf('sec', n),
  kind: 'tenant',
  expiresAt: null,
  status: 'pending',
  statusMessage: null,
  held: false,
  generation: 1,
  observedGeneration: 0,
  deletedAt: null,
  ...stamps,
  ...more,
})

export const operation = (n: number, more: Partial<Operation> = {}): Operation => ({
  id: idOf('op', n),
  kind: 'create',
  instanceId: idOf('ins', 1),
  userId: null,
  tenantId: null,
  targetGeneration: 1,
  status: 'pending',
  attempts: 0,
  cause: null,
  note: null,
  undo: null,
  acceptData: null,
  actor: 'key:admin',
  requestId: null,
  startedAt: null,
  finishedAt: null,
  ...stamps,
  ...more,
})

export const step = (seq: number, more: Partial<OperationStep> = {}): OperationStep => ({
  seq,
  kind: 'start',
  serverId: idOf('srv', 1),
  attempt: 1,
  status: 'running',
  startedAt: at(0),
  finishedAt: null,
  error: null,
  ...more,
})

export const apiKey = (n: number, more: Partial<ApiKey> = {}): ApiKey => ({
  id: idOf('key', n),
  name: `key-${n}`,
  keyHash: n.toString(16).padStart(64, '0'),
  scopes: ['valkey:read'],
  tenantId: null,
  expiresAt: null,
  createdAt: at(0),
  revision: 1,
  ...more,
})

export const auditRow = (n: number, more: Partial<AuditRow> = {}): AuditRow => ({
  id: idOf('aud', n),
  at: at(n),
  actor: 'key:admin',
  action: 'instance.create',
  target: idOf('ins', n),
  outcome: 'accepted',
  requestId: null,
  detail: null,
  ...more,
})
