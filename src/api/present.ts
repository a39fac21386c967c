/** Rows as the API shows them: snake_case, and nothing secret, since nothing secret is named here. */
import type { z } from 'zod'
import type { ApiKey, apiKeyView } from '../domain/model/api-key.ts'
import type { instanceView } from '../domain/model/instance.ts'
import type { nodeView } from '../domain/model/node.ts'
import type { operationView } from '../domain/model/operation.ts'
import type { Shard, shardView } from '../domain/model/shard.ts'
import type { Tenant, tenantView } from '../domain/model/tenant.ts'
import type { User, userView } from '../domain/model/user.ts'
import type { NamedInstance } from '../store/instances.ts'
import type { ReservedNode } from '../store/nodes.ts'
import type { OperationWithSteps } from '../store/operations.ts'
import type { Listed } from '../store/page.ts'

export const presentInstance = (row: NamedInstance): z.infer<typeof instanceView> => ({
  id: row.id,
  tenant_id: row.tenantId,
  name: row.name,
  shard_id: row.shardId,
  shard_name: row.shardName,
  port: row.port,
  max_memory_mb: row.maxMemoryMb,
  settings: row.settings,
  status: row.status,
  status_message: row.statusMessage,
  health: row.health,
  desired_state: row.desiredState,
  engine_version: row.engineVersion,
  deletion_protection: row.deletionProtection,
  generation: row.generation,
  observed_generation: row.observedGeneration,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
})

export const presentUser = (row: User): z.infer<typeof userView> => ({
  id: row.id,
  valkey_instance_id: row.instanceId,
  username: row.username,
  privileges: row.privileges,
  key_pattern: row.keyPattern,
  channel_pattern: row.channelPattern,
  status: row.status,
  status_message: row.statusMessage,
  generation: row.generation,
  observed_generation: row.observedGeneration,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
})

export const presentOperation = (row: OperationWithSteps): z.infer<typeof operationView> => ({
  id: row.id,
  kind: row.kind,
  instance_id: row.instanceId,
  user_id: row.userId,
  tenant_id: row.tenantId,
  target_generation: row.targetGeneration,
  status: row.status,
  attempts: row.attempts,
  cause: row.cause,
  note: row.note,
  steps: row.steps.map((step) => ({
    seq: step.seq,
    kind: step.kind,
    server_id: step.serverId,
    attempt: step.attempt,
    status: step.status,
    started_at: step.startedAt,
    finished_at: step.finishedAt,
    error: step.error,
  })),
  actor: row.actor,
  request_id: row.requestId,
  created_at: row.createdAt,
  started_at: row.startedAt,
  finished_at: row.finishedAt,
})

export const presentTenant = (row: Tenant): z.infer<typeof tenantView> => ({
  id: row.id,
  name: row.name,
  max_instances: row.maxInstances,
  max_total_memory_mb: row.maxTotalMemoryMb,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
})

export const presentShard = (row: Shard): z.infer<typeof shardView> => ({
  id: row.id,
  name: row.name,
  role: row.role,
  node_ids: row.nodeIds,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
})

export const presentNode = (row: ReservedNode): z.infer<typeof nodeView> => ({
  id: row.id,
  name: row.name,
  address: row.address,
  agent: row.agent,
  capacity_mb: row.capacityMb,
  reserved_mb: row.reservedMb,
  port_min: row.portMin,
  port_max: row.portMax,
  created_at: row.createdAt,
  updated_at: row.updatedAt,
})

export const presentApiKey = (row: ApiKey): z.infer<typeof apiKeyView> => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  tenant_id: row.tenantId,
  expires_at: row.expiresAt,
  created_at: row.createdAt,
})

export const presentPage = <T, V>(page: Listed<T>, present: (row: T) => V) => ({
  items: page.items.map(present),
  next_cursor: page.nextCursor,
  has_more: page.hasMore,
})
