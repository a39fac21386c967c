/** What a family of bad requests is made of. */
import fc from 'fast-check'
import type { CallOptions } from './http.ts'

export type BadRequest = {
  method: string
  path: string
  options: CallOptions
  statuses: number[]
  /** What the first error's pointer begins with; null: the fault is no field's. */
  pointer: string | null
  /** Must not come back. */
  secret?: string
}

export type Target = {
  tenantId: string
  instanceId: string
  userId: string
  operationId: string
  /** A key of another tenant, with every scope that a tenant's key can have. */
  strangerKey: string
  /** MiB that the node has left. */
  leftMb: number
}

export type Family = {
  name: string
  requests: (target: Target) => { table: BadRequest[]; more: fc.Arbitrary<BadRequest> }
}

export const create = (target: Target) => `/tenants/${target.tenantId}/valkey-instances`
export const users = (target: Target) => `/valkey-instances/${target.instanceId}/users`
export const goodUser = { username: 'fine', privileges: ['read-only'] }

export const post = (path: string, body: unknown, pointer: string | null, statuses = [422]): BadRequest => ({
  method: 'POST',
  path,
  options: { body },
  statuses,
  pointer,
})

export const notText = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.string()),
  fc.dictionary(fc.string(), fc.integer()),
)
