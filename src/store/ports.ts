/** Ports of a node: held by a server, cooling down, or free (no row). */
import { sql } from 'kysely'
import type { Timestamp } from '../domain/model/common.ts'
import type { Tx } from './store.ts'

/**
 * The first port from `from` to `to` without a row. The primary key answers it: one look at `from`, then along the
 * taken ports to the first gap.
 */
async function firstFree(tx: Tx, nodeId: string, from: number, to: number): Promise<number | undefined> {
  if (from > to) return undefined
  const { rows } = await sql<{ port: number | null }>`
    select case
      when not exists (select 1 from ports where node_id = ${nodeId} and port = ${from}) then cast(${from} as integer)
      else (
        select p.port + 1 from ports p
        where p.node_id = ${nodeId} and p.port >= ${from} and p.port < ${to}
          and not exists (select 1 from ports q where q.node_id = p.node_id and q.port = p.port + 1)
        order by p.port limit 1
      ) end as port`.execute(tx)
  return rows[0]?.port ?? undefined
}

/**
 * Gives the server the next free port after the one given out last, around the node's range, so that a port rests
 * as long as there are others. Cool-downs that are over by `now` are forgotten.
 * @returns undefined where every port is held or cooling
 */
export async function allocatePort(
  tx: Tx,
  nodeId: string,
  serverId: string,
  now: Timestamp,
): Promise<number | undefined> {
  const node = await tx
    .selectFrom('nodes')
    .select(['port_min', 'port_max', 'next_port'])
    .where('id', '=', nodeId)
    .executeTakeFirstOrThrow()
  const { port_min: min, port_max: max } = node
  await tx.deleteFrom('ports').where('node_id', '=', nodeId).where('free_after', '<=', now).execute()
  // The range may have changed since.
  const start = node.next_port >= min && node.next_port <= max ? node.next_port : min
  const port = (await firstFree(tx, nodeId, start, max)) ?? (await firstFree(tx, nodeId, min, start - 1))
  if (port === undefined) return undefined
  await tx.insertInto('ports').values({ node_id: nodeId, port, server_id: serverId, free_after: null }).execute()
  await tx
    .updateTable('nodes')
    .set({ next_port: port === max ? min : port + 1 })
    .where('id', '=', nodeId)
    .execute()
  return port
}

/** The server is gone: nobody gets its port until `freeAfter`. Safe to repeat. */
export async function releasePort(tx: Tx, nodeId: string, port: number, freeAfter: Timestamp): Promise<void> {
  await tx
    .updateTable('ports')
    .set({ server_id: null, free_after: freeAfter })
    .where('node_id', '=', nodeId)
    .where('port', '=', port)
    .execute()
}

/** A stranger listens on the port: nobody gets it until `until`, and a server that had it has it no more. */
export async function blockPort(tx: Tx, nodeId: string, port: number, until: Timestamp): Promise<void> {
  await tx
    .insertInto('ports')
    .values({ node_id: nodeId, port, server_id: null, free_after: until })
    .onConflict((c) => c.columns(['node_id', 'port']).doUpdateSet({ server_id: null, free_after: until }))
    .execute()
}
