import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ControlDeps } from '../control/deps.ts'
import type { Driver } from '../control/driver/driver.ts'
import type { Timestamp } from '../domain/model/common.ts'
import type { NodeAgent } from '../domain/ports/node-agent.ts'
import type { Store } from '../store/store.ts'
import type { ApiMetrics } from './metrics.ts'

/** What the API needs of the platform. */
export type ApiDeps = {
  store: Store
  control: ControlDeps
  driver: Pick<Driver, 'wake' | 'settled'> & {
    /** Rounds that wait for their turn, and those that run. */
    queue(): { waiting: number; running: number }
  }
  /** The agent of a node; undefined where the platform reaches none. */
  agent: (nodeId: string) => NodeAgent | undefined
  now: () => Timestamp
  /** Every authority that clients have to trust, as one PEM bundle. */
  caPem: () => string
  /** Told of each new session: the next end may be its. */
  sessions: { changed(): void }
  /** What is not ready yet, in words; empty: ready. */
  notReady: () => string[]
  log: FastifyBaseLogger
  version: string
  /** PEM; null: plain HTTP, for loopback only. */
  https: { key: string; cert: string } | null
  limits: ApiLimits
}

export type ApiLimits = {
  /** Requests of one key, or of one address on public routes, per minute. */
  requestsPerMinute: number
  /** Requests without a valid key from one address per minute; left out: a hundredth of requestsPerMinute. */
  failedAuthPerMinute?: number
  /** Audit rows of refused requests per minute, over all callers. */
  auditedRefusalsPerMinute: number
}

export const defaultLimits: ApiLimits = {
  requestsPerMinute: 12_000,
  auditedRefusalsPerMinute: 600,
}

/** The app as routes see it: its schemas are zod's. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression<RawServerDefault>,
  RawReplyDefaultExpression<RawServerDefault>,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** What routes get beside the platform. */
export type RouteDeps = ApiDeps & {
  metrics: ApiMetrics
  /** Aborted when the API closes: long waits end then. */
  closing: AbortSignal
}
