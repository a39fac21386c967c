/** The shape of every change a person can ask for. One file per use case beside this one. */
import type { Scope, Timestamp } from '../domain/model/common.ts'
import type { Tx } from '../store/store.ts'

/** Who asks. */
export type Actor = {
  /** As audit rows and operations name it: `key:NAME`, `platform`. */
  name: string
  apiKeyId: string | null
  /** null: a platform key, sees every tenant. */
  tenantId: string | null
  scopes: readonly Scope[]
}

export type Context = {
  actor: Actor
  requestId: string | null
  now: Timestamp
  /** Revisions that the caller's change is based on (`If-Match`); null: any. */
  ifMatch: readonly number[] | null
}

/** What a use case leaves behind when its transaction commits. */
export type Outcome<T> = {
  /** The answer, secrets aside. */
  result: T
  /** Shown in the first answer only, never stored: `{ password }`, `{ key }`. */
  once?: Record<string, unknown>
  operationId?: string
  /** The instance whose loop has to look. */
  wake?: string
  audit: { action: string; target: string; detail?: Record<string, unknown> }
}

/** Runs inside one write transaction: uses only `tx`, never awaits anything but it. @throws Problem */
export type UseCase<I, T> = (tx: Tx, context: Context, input: I) => Promise<Outcome<T>>
