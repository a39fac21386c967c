import { z } from 'zod'
import { idSchema, slugSchema, type Timestamp, timestampSchema } from './common.ts'

export type Tenant = {
  id: string
  name: string
  /** How many instances the tenant may have; null: no limit. */
  maxInstances: number | null
  /** Sum of max_memory_mb over its instances; null: no limit. */
  maxTotalMemoryMb: number | null
  createdAt: Timestamp
  updatedAt: Timestamp
  revision: number
}

const limits = {
  max_instances: z.int().min(0).max(1_000_000).nullable().meta({ description: 'Most instances; null: no limit' }),
  max_total_memory_mb: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .nullable()
    .meta({ description: 'Most memory over all its instances in MiB; null: no limit' }),
}

export const createTenantBody = z
  .strictObject({
    name: slugSchema,
    max_instances: limits.max_instances.optional(),
    max_total_memory_mb: limits.max_total_memory_mb.optional(),
  })
  .meta({ id: 'CreateTenant' })
export type CreateTenant = z.infer<typeof createTenantBody>

export const patchTenantBody = z
  .strictObject({
    max_instances: limits.max_instances.optional(),
    max_total_memory_mb: limits.max_total_memory_mb.optional(),
  })
  .meta({ id: 'PatchTenant', description: 'Only what it carries changes; null: no limit' })
export type PatchTenant = z.infer<typeof patchTenantBody>

export const tenantView = z
  .object({
    id: idSchema('tenant'),
    name: slugSchema,
    ...limits,
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: 'Tenant' })
