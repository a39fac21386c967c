import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What the platform counts of itself at each scrape. */
export type PlatformCounts = {
  operations: { kind: string; status: string; count: number }[]
  instances: { status: string; health: string; count: number }[]
  driver: { waiting: number; running: number }
}

export type ApiMetrics = {
  answered(route: string, method: string, status: number, seconds: number): void
  /** An audit row of a refused request that was left out because there were too many. */
  refusalDropped(): void
  /** Prometheus text. */
  render(): Promise<string>
  contentType: string
  close(): void
}

/** The platform's own figures, in a registry of their own: several platforms may live in one process. */
export function makeMetrics(counts: () => Promise<PlatformCounts>): ApiMetrics {
  const registers = [new Registry()] as const
  const registry = registers[0]
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 })
  const requests = new Counter({
    name: 'valkeep_http_requests_total',
    help: 'Answers of the API by route pattern, method and status',
    labelNames: ['route', 'method', 'status'],
    registers: [...registers],
  })
  const duration = new Histogram({
    name: 'valkeep_http_request_duration_seconds',
    help: 'Time to answer by route pattern and method; waits on operations included',
    labelNames: ['route', 'method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers: [...registers],
  })
  const dropped = new Counter({
    name: 'valkeep_audit_refusals_dropped_total',
    help: 'Refused requests left out of the audit trail because there were too many at once',
    registers: [...registers],
  })
  const operations = new Gauge({
    name: 'valkeep_operations',
    help: 'Operations by kind and status',
    labelNames: ['kind', 'status'],
    registers: [...registers],
  })
  const instances = new Gauge({
    name: 'valkeep_instances',
    help: 'Instances by status and health, deleted ones aside',
    labelNames: ['status', 'health'],
    registers: [...registers],
  })
  const queue = new Gauge({
    name: 'valkeep_driver_queue',
    help: 'Rounds over instances that wait for their turn, and those that run',
    labelNames: ['state'],
    registers: [...registers],
  })
  return {
    answered(route, method, status, seconds) {
      requests.inc({ route, method, status })
      duration.observe({ route, method }, seconds)
    },
    refusalDropped: () => dropped.inc(),
    async render() {
      const now = await counts()
      operations.reset()
      for (const { count, ...labels } of now.operations) operations.set(labels, count)
      instances.reset()
      for (const { count, ...labels } of now.instances) instances.set(labels, count)
      for (const [state, count] of Object.entries(now.driver)) queue.set({ state }, count)
      return registry.metrics()
    },
    contentType: registry.contentType,
    close: () => registry.clear(),
  }
}
