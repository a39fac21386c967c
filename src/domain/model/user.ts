import { z } from 'zod'
import { usernameSchema } from '../acl/tenant-user.ts'
import type { SecretRef } from '../server-plan.ts'
import { idSchema, type Timestamp, timestampSchema } from './common.ts'
import { type Status, statuses } from './status.ts'
import { userFieldSchemas } from './user-fields.ts'

export type User = {
  id: string
  instanceId: string
  username: string
  /** Normalised: rules such as `+@read`, or one preset's name. */
  privileges: string[]
  /** With its sigil: `~app:*`. */
  keyPattern: string
  /** With its sigil: `&news:*`; null: no channels. */
  channelPattern: string | null
  /** Sealed SHA-256 (hex) of the password: the password itself is never kept. */
  passwordSecretId: SecretRef
  /** `session`: a person's short-lived user, gone at expiresAt; never listed among the tenant's users. */
  kind: 'tenant' | 'session'
  expiresAt: Timestamp | null
  status: Status
  statusMessage: string | null
  /** Failed, and left as it is on the servers until somebody asks again: they refused it, or a person cancelled it. */
  held: boolean
  generation: number
  observedGeneration: number
  createdAt: Timestamp
  updatedAt: Timestamp
  deletedAt: Timestamp | null
  revision: number
}

export const createUserBody = z
  .strictObject({
    username: usernameSchema,
    password: userFieldSchemas.password.optional(),
    privileges: userFieldSchemas.privileges,
    key_pattern: userFieldSchemas.keyPattern.optional(),
    channel_pattern: userFieldSchemas.channelPattern.nullable().optional(),
  })
  .meta({ id: 'CreateUser' })
export type CreateUser = z.infer<typeof createUserBody>

export const updateUserBody = z
  .strictObject({
    password: userFieldSchemas.password.optional(),
    privileges: userFieldSchemas.privileges.optional(),
    key_pattern: userFieldSchemas.keyPattern.optional(),
    channel_pattern: userFieldSchemas.channelPattern.nullable().optional(),
  })
  .meta({ id: 'UpdateUser' })
export type UpdateUser = z.infer<typeof updateUserBody>

export const createSessionBody = z
  .strictObject({
    preset: userFieldSchemas.preset.optional(),
    ttl_s: z.int().min(10).max(86_400).optional().meta({ description: 'Seconds until the user is gone; default 3600' }),
  })
  .meta({ id: 'CreateSession' })
export type CreateSession = z.infer<typeof createSessionBody>

export const userView = z
  .object({
    id: idSchema('user'),
    valkey_instance_id: idSchema('instance'),
    username: z.string(),
    privileges: z.array(z.string()),
    key_pattern: z.string(),
    channel_pattern: z.string().nullable(),
    status: z.enum(statuses),
    status_message: z.string().nullable(),
    generation: z.int(),
    observed_generation: z.int(),
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: 'User' })
