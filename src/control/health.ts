/** Health of instances: from every look at them, and in between from a watch on each of their servers. */
import type { Instance } from '../domain/model/instance.ts'
import { healthOf, type SeenHealth } from '../domain/plan/health.ts'
import type { NodeAgent } from '../domain/ports/node-agent.ts'
import { setInstanceHealth } from '../store/instances.ts'
import type { Store } from '../store/store.ts'
import type { Look } from './driver/attempt.ts'
import type { Driver } from './driver/driver.ts'
import type { InstanceRows } from './spec.ts'

export type HealthKeeper = {
  /** Records what a look showed, and watches what runs. */
  onLook(rows: InstanceRows, seen: Look): void
  onGone(rows: InstanceRows): void
  stop(): void
}

export function makeHealthKeeper(deps: {
  store: Store
  agent: (nodeId: string) => NodeAgent
  driver: Pick<Driver, 'check'>
  onError: (error: unknown) => void
}): HealthKeeper {
  const watches = new Map<string, () => void>()

  function unwatch(serverId: string): void {
    watches.get(serverId)?.()
    watches.delete(serverId)
  }

  function record(instanceId: string, health: SeenHealth): void {
    deps.store.write((tx) => setInstanceHealth(tx, instanceId, health)).catch(deps.onError)
  }

  function watch(rows: InstanceRows, serverId: string, nodeId: string, adminRef: string): void {
    if (watches.has(serverId)) return
    const instanceId = rows.instance.id
    const close = deps.agent(nodeId).watch(
      { id: serverId, adminRef },
      {
        onDown(reason) {
          unwatch(serverId)
          deps.driver.check(instanceId, `valkey-server went away (${reason})`)
        },
        onUnresponsive: () => record(instanceId, { health: 'unhealthy', reason: 'It does not answer.' }),
        onResponsive: () => deps.driver.check(instanceId, null),
      },
    )
    watches.set(serverId, close)
  }

  return {
    onLook(rows, seen) {
      const now = healthOf(seen.spec, seen.observed)
      if (!isRecorded(rows.instance, now)) record(rows.instance.id, now)
      for (const server of rows.servers) {
        if (seen.observed.servers[server.id]?.process) watch(rows, server.id, server.nodeId, server.adminSecretId)
        else unwatch(server.id)
      }
    },
    onGone(rows) {
      for (const server of rows.servers) unwatch(server.id)
    },
    stop() {
      for (const serverId of [...watches.keys()]) unwatch(serverId)
    },
  }
}

/** The message of an instance that is not active tells of its operation. */
const isRecorded = (instance: Instance, { health, reason }: SeenHealth) =>
  instance.health === health && (instance.status !== 'active' || instance.statusMessage === reason)
