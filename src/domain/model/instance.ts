import { z } from 'zod'
import { type InstanceSettings, instanceSettingsSchema } from '../conf/settings.ts'
import { idSchema, slugSchema, type Timestamp, timestampSchema } from './common.ts'
import { type DesiredState, desiredStates, type Health, healths, type Status, statuses } from './status.ts'
import { createUserBody } from './user.ts'

export type Instance = {
  id: string
  tenantId: string | null
  name: string
  shardId: string | null
  /** Its primary's port. */
  port: number
  maxMemoryMb: number
  settings: InstanceSettings
  status: Status
  statusMessage: string | null
  health: Health
  desiredState: DesiredState
  /** Pinned at creation: a package upgrade under our feet never moves an instance silently. */
  engineVersion: string
  deletionProtection: boolean
  generation: number
  observedGeneration: number
  /** Has been active once: from then on its port never moves by itself. */
  everActive: boolean
  createdAt: Timestamp
  updatedAt: Timestamp
  deletedAt: Timestamp | null
  revision: number
}

const maxMemoryMb = z
  .int()
  .min(4, 'must be at least 4: an empty server uses more than 1 MiB itself')
  .max(1_048_576)
  .meta({ description: "Valkey's maxmemory in MiB, at least 4; changes live", examples: [128] })

export const createInstanceBody = z
  .strictObject({
    name: slugSchema,
    shard_id: idSchema('shard').optional().meta({ description: 'Where to place it; left out: the platform chooses' }),
    max_memory_mb: maxMemoryMb.optional(),
    users: z.array(createUserBody).max(100).optional(),
  })
  .meta({ id: 'CreateInstance' })
export type CreateInstance = z.infer<typeof createInstanceBody>

export const patchInstanceBody = z
  .strictObject({
    max_memory_mb: maxMemoryMb.optional(),
    settings: instanceSettingsSchema.optional().meta({ description: 'Only what it carries changes' }),
    deletion_protection: z.boolean().optional(),
  })
  .meta({ id: 'PatchInstance' })
export type PatchInstance = z.infer<typeof patchInstanceBody>

export const reassignTenantBody = z
  .strictObject({ tenant_id: idSchema('tenant').nullable() })
  .meta({ id: 'ReassignTenant' })
export type ReassignTenant = z.infer<typeof reassignTenantBody>

export const retryInstanceBody = z
  .strictObject({
    accept_data: z.enum(['rdb', 'empty']).optional().meta({
      description: 'Start on less than there was: from the last snapshot though the append-only file is gone, or empty',
    }),
    accept_engine: z
      .string()
      .regex(/^\d+\.\d+\.\d+$/, 'must be a version such as 9.1.2')
      .optional()
      .meta({
        description: 'Move the instance to the newer engine that its node has now; there is no way back (data format)',
        examples: ['9.1.2'],
      }),
  })
  .meta({ id: 'RetryInstance' })
export type RetryInstance = z.infer<typeof retryInstanceBody>

export const instanceView = z
  .object({
    id: idSchema('instance'),
    tenant_id: idSchema('tenant').nullable(),
    name: slugSchema,
    shard_id: idSchema('shard').nullable(),
    shard_name: slugSchema.nullable().meta({ readOnly: true }),
    port: z.int().min(1).max(65535),
    max_memory_mb: z.int(),
    settings: instanceSettingsSchema,
    status: z.enum(statuses),
    status_message: z.string().nullable(),
    health: z.enum(healths),
    desired_state: z.enum(desiredStates),
    engine_version: z.string(),
    deletion_protection: z.boolean(),
    generation: z.int(),
    observed_generation: z.int(),
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: 'Instance' })
