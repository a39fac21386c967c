/** What the API answers, as types only: zod stays out of the CLI's start. */
import type { z } from 'zod'
import type { Connection } from '../domain/connection.ts'
import type { apiKeyView } from '../domain/model/api-key.ts'
import type { instanceView } from '../domain/model/instance.ts'
import type { nodeView } from '../domain/model/node.ts'
import type { operationView, stepView } from '../domain/model/operation.ts'
import type { shardView } from '../domain/model/shard.ts'
import type { tenantView } from '../domain/model/tenant.ts'
import type { userView } from '../domain/model/user.ts'

export type ApiKeyView = z.infer<typeof apiKeyView>
export type ConnectionView = Connection
export type InstanceView = z.infer<typeof instanceView>
export type NodeView = z.infer<typeof nodeView>
export type OperationView = z.infer<typeof operationView>
export type StepView = z.infer<typeof stepView>
export type ShardView = z.infer<typeof shardView>
export type TenantView = z.infer<typeof tenantView>
export type UserView = z.infer<typeof userView>
/** Answer of GET /valkey-users/{id}/effective, as far as it is looked at here. */
export type EffectiveView = {
  allowed: string[]
  denied: { command: string; reason: string }[]
  families: object[]
  notes: string[]
}
