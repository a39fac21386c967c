import { z } from 'zod'
import { type Cause, causeSchema, idSchema, type Timestamp, timestampSchema } from './common.ts'

export const operationKinds = [
  'create',
  'update',
  'start',
  'stop',
  'delete',
  'repair',
  'user-create',
  'user-update',
  'user-delete',
  'session-create',
  'session-end',
] as const
export type OperationKind = (typeof operationKinds)[number]

export const operationStatuses = ['pending', 'running', 'succeeded', 'failed', 'cancelled', 'superseded'] as const
export type OperationStatus = (typeof operationStatuses)[number]

/** One asynchronous change: a row that points at a generation of an instance or of one of its users. */
export type Operation = {
  id: string
  kind: OperationKind
  instanceId: string
  /** Set where the change is to one user. */
  userId: string | null
  tenantId: string | null
  /** The generation (of the instance, or of the user) that has to be observed. */
  targetGeneration: number
  status: OperationStatus
  attempts: number
  cause: Cause | null
  /** Why the platform began it by itself (repairs), or what it did that a user should know. */
  note: string | null
  /** What the changed fields were before, so that a cancel can put them back; null once it is over. */
  undo: Record<string, unknown> | null
  /** What a person accepted with a retry: to start on less data than there was. */
  acceptData: 'rdb' | 'empty' | null
  actor: string
  requestId: string | null
  createdAt: Timestamp
  startedAt: Timestamp | null
  finishedAt: Timestamp | null
  updatedAt: Timestamp
  revision: number
}

export const stepStatuses = ['running', 'succeeded', 'failed'] as const
/** One executed step, a report for people: recovery never reads it. */
export type OperationStep = {
  seq: number
  kind: string
  serverId: string
  attempt: number
  status: (typeof stepStatuses)[number]
  startedAt: Timestamp
  finishedAt: Timestamp | null
  error: string | null
}

export const stepView = z
  .object({
    seq: z.int(),
    kind: z.string(),
    server_id: idSchema('server'),
    attempt: z.int(),
    status: z.enum(stepStatuses),
    started_at: timestampSchema,
    finished_at: timestampSchema.nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: 'OperationStep' })

export const operationView = z
  .object({
    id: idSchema('operation'),
    kind: z.enum(operationKinds),
    instance_id: idSchema('instance'),
    user_id: idSchema('user').nullable(),
    tenant_id: idSchema('tenant').nullable(),
    target_generation: z.int(),
    status: z.enum(operationStatuses),
    attempts: z.int(),
    cause: causeSchema.nullable(),
    note: z.string().nullable(),
    steps: z.array(stepView),
    actor: z.string(),
    request_id: z.string().nullable(),
    created_at: timestampSchema,
    started_at: timestampSchema.nullable(),
    finished_at: timestampSchema.nullable(),
  })
  .meta({ id: 'Operation' })
