import { z } from 'zod'
import type { CauseCode } from '../cause.ts'

/** Prefixes of ids, one per noun: `ins_` + a UUIDv7 without dashes. Never a string a user typed. */
export const idPrefix = {
  tenant: 'ten',
  node: 'nod',
  shard: 'shd',
  instance: 'ins',
  server: 'srv',
  user: 'usr',
  operation: 'op',
  apiKey: 'key',
  secret: 'sec',
  audit: 'aud',
} as const

export type Noun = keyof typeof idPrefix

/** Schema of a noun's id. What does not match is answered like a foreign id: 404. */
export const idSchema = (noun: Noun) =>
  z
    .string()
    .regex(new RegExp(`^${idPrefix[noun]}_[0-9a-f]{32}$`))
    .meta({ description: `Id of a ${noun}`, examples: [`${idPrefix[noun]}_019a2f00c0de7000a000000000000001`] })

/** Names of instances, tenants, shards, nodes and API keys. */
export const slugSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'must start with a-z and hold only a-z, 0-9 and -, at most 63 characters')
  .meta({ description: 'A slug', examples: ['myapp-cache'] })

/** ISO 8601 in UTC with milliseconds, as `Date.prototype.toISOString` writes it: sorts as text. */
export type Timestamp = string
export const timestampSchema = z.iso.datetime().meta({ examples: ['2026-01-31T12:00:00.000Z'] })

/** What went wrong, for a person who has to act on it. Never holds a secret. */
export type Cause = {
  /** Stable, from the catalogue of causes: `port-taken`, `data-unsafe` … */
  code: CauseCode
  /** What happened and why. */
  message: string
  /** What to do next. */
  remedy?: string
}

export const causeSchema = z
  .object({ code: z.string(), message: z.string(), remedy: z.string().optional() })
  .meta({ id: 'Cause', description: 'What went wrong and what to do' })

export const scopes = ['valkey:read', 'valkey:write', 'valkey:delete', 'metrics', 'admin'] as const
export type Scope = (typeof scopes)[number]
