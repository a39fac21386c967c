import { z } from 'zod'
import { idSchema, slugSchema, type Timestamp, timestampSchema } from './common.ts'

export type Shard = {
  id: string
  name: string
  role: 'valkey'
  nodeIds: string[]
  createdAt: Timestamp
  updatedAt: Timestamp
  revision: number
}

export const createShardBody = z
  .strictObject({
    name: slugSchema,
    node_ids: z.array(idSchema('node')).min(1).max(100),
  })
  .meta({ id: 'CreateShard' })
export type CreateShard = z.infer<typeof createShardBody>

export const shardView = z
  .object({
    id: idSchema('shard'),
    name: slugSchema,
    role: z.literal('valkey'),
    node_ids: z.array(idSchema('node')),
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: 'Shard' })
