import { z } from 'zod'
import { idSchema, type Scope, scopes, slugSchema, type Timestamp, timestampSchema } from './common.ts'

export type ApiKey = {
  id: string
  name: string
  /** SHA-256 (hex) of the key: 256 random bits need no salt. */
  keyHash: string
  scopes: Scope[]
  /** null: a platform key. */
  tenantId: string | null
  expiresAt: Timestamp | null
  createdAt: Timestamp
  revision: number
}

export const createApiKeyBody = z
  .strictObject({
    name: slugSchema,
    scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
    tenant_id: idSchema('tenant').nullable().optional(),
    expires_at: timestampSchema.nullable().optional(),
  })
  .refine((body) => !(body.tenant_id && body.scopes.includes('admin')), {
    path: ['scopes'],
    message: 'a tenant key cannot hold admin: leave tenant_id out, or admin',
  })
  .meta({ id: 'CreateApiKey' })
export type CreateApiKey = z.infer<typeof createApiKeyBody>

export const apiKeyView = z
  .object({
    id: idSchema('apiKey'),
    name: slugSchema,
    scopes: z.array(z.enum(scopes)),
    tenant_id: idSchema('tenant').nullable(),
    expires_at: timestampSchema.nullable(),
    created_at: timestampSchema,
  })
  .meta({ id: 'ApiKey' })
