import type { Timestamp } from './common.ts'

/** Who did what to what, and how it ended; written in the transaction of the change itself. Never holds a secret. */
export type AuditRow = {
  id: string
  at: Timestamp
  /** `key:NAME` of an API key, `platform`, or `local` for the machine's own operator. */
  actor: string
  action: string
  target: string
  outcome: 'accepted' | 'done' | 'refused' | 'failed'
  requestId: string | null
  detail: Record<string, unknown> | null
}
