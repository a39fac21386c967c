/** Everything of one instance that a run needs, read at one moment. */
import type { Operation } from '../../domain/model/operation.ts'
import { findAnyInstance } from '../../store/instances.ts'
import { findNodes } from '../../store/nodes.ts'
import { countSteps, deletesOfInstance, openOperations } from '../../store/operations.ts'
import { serversOfInstances } from '../../store/servers.ts'
import type { Tx } from '../../store/store.ts'
import { usersOfInstance } from '../../store/users.ts'
import type { InstanceRows } from '../spec.ts'

export type Loaded = InstanceRows & {
  /** Pending and running operations, oldest first. */
  open: Operation[]
  /** How many steps each of them shows already. */
  stepCounts: ReadonlyMap<string, number>
}

/** undefined where there is no such instance, or it is deleted. */
export async function loadInstance(db: Tx, instanceId: string): Promise<Loaded | undefined> {
  const instance = await findAnyInstance(db, instanceId)
  if (!instance || instance.status === 'deleted') return undefined
  const rows = await serversOfInstances(db, [instanceId])
  const open = await openOperations(db, instanceId)
  const deletes = await deletesOfInstance(db, instanceId)
  const newest = open.findLast((operation) => operation.userId === null)
  return {
    instance,
    servers: rows,
    nodes: await findNodes(db, [...new Set(rows.map((server) => server.nodeId))]),
    users: await usersOfInstance(db, instanceId),
    open,
    stepCounts: await countSteps(
      db,
      open.map((operation) => operation.id),
    ),
    doomed: deletes.some((operation) => operation.userId === null),
    doomedUsers: new Set(deletes.flatMap((operation) => operation.userId ?? [])),
    accept: { data: newest?.acceptData ?? null },
  }
}
