import type { InstanceObservation, InstanceSpec, ObservedHealth, ServerObservation } from './spec.ts'

export type SeenHealth = {
  health: ObservedHealth
  /** Why it is unhealthy, as a sentence for people; null where it is not. */
  reason: string | null
}

/** Health as an observation shows it: `unhealthy` where any server that should serve does not, or cannot persist. */
export function healthOf(desired: InstanceSpec, observed: InstanceObservation): SeenHealth {
  const seen = desired.servers.map((server) => observed.servers[server.handle.id])
  if (desired.desired === 'stopped' && seen.every((s) => !s?.process)) return { health: 'stopped', reason: null }
  const reason = seen.map(whyUnhealthy).find((why) => why !== null)
  return reason === undefined ? { health: 'healthy', reason: null } : { health: 'unhealthy', reason }
}

function whyUnhealthy(seen: ServerObservation | undefined): string | null {
  if (!seen?.process) return 'No process runs.'
  const { pid, frozen } = seen.process
  if (frozen) return `Process ${pid} is stopped by a signal and answers nobody; to continue it: kill -CONT ${pid}.`
  if (!seen.live) return `Process ${pid} does not answer: ${seen.silent ?? 'no reason'}.`
  if (seen.live.loading) return 'It is loading its data.'
  if (seen.live.persistenceError) return `It cannot persist: ${seen.live.persistenceError}.`
  return 'error' in seen.live.tls ? `Clients cannot connect over TLS: ${seen.live.tls.error}.` : null
}
