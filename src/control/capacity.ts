/** Memory on nodes and tenants' limits: what is promised, against what there is. */
import type { Node } from '../domain/model/node.ts'
import type { Tenant } from '../domain/model/tenant.ts'
import { Problem } from '../domain/problem.ts'
import { addReserved, findNode } from '../store/nodes.ts'
import { serversOfInstances } from '../store/servers.ts'
import { tenantUsage } from '../store/tenants.ts'
import type { Tx } from '../store/store.ts'

/** MiB that may still be promised on a node. */
export const roomMb = (node: NodeRoom, overcommit: number): number =>
  Math.floor(node.capacityMb * overcommit) - node.reservedMb
export type NodeRoom = Node & { reservedMb: number }

/** The 409 that names both numbers. */
export function noRoom(node: NodeRoom, askedMb: number, overcommit: number): Problem {
  const left = Math.max(0, roomMb(node, overcommit))
  const promised = Math.floor(node.capacityMb * overcommit)
  return new Problem(
    'no-room',
    `${askedMb} MiB more are asked for; node ${node.name} has ${left} MiB left of ${promised} MiB.`,
    { errors: [{ pointer: '/max_memory_mb', code: 'no_room', detail: `at most ${left} MiB more` }] },
  )
}

/** @throws Problem limit-reached where the tenant would have more than its limits */
export async function checkLimits(
  tx: Tx,
  tenant: Tenant,
  more: { instances: number; memoryMb: number },
): Promise<void> {
  if (tenant.maxInstances === null && tenant.maxTotalMemoryMb === null) return
  const used = await tenantUsage(tx, tenant.id)
  if (tenant.maxInstances !== null && used.instances + more.instances > tenant.maxInstances && more.instances > 0) {
    throw new Problem(
      'limit-reached',
      `The tenant has ${used.instances} instances; its limit is ${tenant.maxInstances}.`,
    )
  }
  const limit = tenant.maxTotalMemoryMb
  if (limit !== null && used.memoryMb + more.memoryMb > limit && more.memoryMb > 0) {
    throw new Problem(
      'limit-reached',
      `${more.memoryMb} MiB more are asked for; the tenant has ${used.memoryMb} MiB of at most ${limit} MiB.`,
      {
        errors: [
          {
            pointer: '/max_memory_mb',
            code: 'limit_reached',
            detail: `at most ${Math.max(0, limit - used.memoryMb)} MiB more`,
          },
        ],
      },
    )
  }
}

/**
 * Moves the reservation of an instance's servers by `deltaMb`.
 * @throws Problem no-room where a node has not as much left
 */
export async function reserveMore(tx: Tx, overcommit: number, instanceId: string, deltaMb: number): Promise<void> {
  if (deltaMb === 0) return
  for (const server of await serversOfInstances(tx, [instanceId])) {
    const node = await findNode(tx, server.nodeId)
    if (node === undefined) throw new Error(`server ${server.id} is on a node without a row`)
    if (deltaMb > 0 && roomMb(node, overcommit) < deltaMb) throw noRoom(node, deltaMb, overcommit)
    await addReserved(tx, server.nodeId, deltaMb)
  }
}
