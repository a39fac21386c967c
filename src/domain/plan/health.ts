import type { InstanceObservation, InstanceSpec, ObservedHealth } from './spec.ts'

/** Health as an observation shows it: `unhealthy` where any server that should serve does not, or cannot persist. */
export function healthOf(desired: InstanceSpec, observed: InstanceObservation): ObservedHealth {
  const seen = desired.servers.map((server) => observed.servers[server.handle.id])
  if (desired.desired === 'stopped' && seen.every((s) => !s?.process)) return 'stopped'
  const serves = seen.every((s) => s?.live && !s.live.loading && !s.live.persistenceError && !('error' in s.live.tls))
  return serves ? 'healthy' : 'unhealthy'
}
