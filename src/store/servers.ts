import type { Selectable } from 'kysely'
import type { Timestamp } from '../domain/model/common.ts'
import type { Server } from '../domain/model/server.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

export type ServerPatch = Partial<Omit<Server, 'id' | 'instanceId' | 'createdAt'>>

const toServer = (row: Selectable<Database['servers']>): Server => ({
  ...fromRow(row),
  role: row.role as Server['role'],
})

/** @throws a unique violation where the node's port is another server's */
export async function insertServer(tx: Tx, server: Server): Promise<void> {
  await tx.insertInto('servers').values(toRow(server)).execute()
}

/** The servers of the instances, oldest first. */
export async function serversOfInstances(tx: Tx, instanceIds: readonly string[]): Promise<Server[]> {
  if (instanceIds.length === 0) return []
  const rows = await tx.selectFrom('servers').selectAll().where('instance_id', 'in', instanceIds).execute()
  return rows.map(toServer).sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** @throws where it is not there */
export async function updateServer(tx: Tx, id: string, patch: ServerPatch): Promise<Server> {
  const row = await tx
    .updateTable('servers')
    .set(toRow(patch))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw new Error(`no server ${id}`)
  return toServer(row)
}

export async function deleteServer(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('servers').where('id', '=', id).execute()
}

/** Ids of all servers that belong on the node: what else lies there is a stray. */
export async function serverIdsOfNode(tx: Tx, nodeId: string): Promise<Set<string>> {
  const rows = await tx.selectFrom('servers').select('id').where('node_id', '=', nodeId).execute()
  return new Set(rows.map((row) => row.id))
}

/** Servers whose certificate ends before `before`, the most urgent first. */
export async function serversToRenew(tx: Tx, before: Timestamp, limit: number): Promise<Server[]> {
  const rows = await tx
    .selectFrom('servers')
    .selectAll()
    .where('cert_not_after', '<', before)
    .orderBy('cert_not_after')
    .limit(limit)
    .execute()
  return rows.map(toServer)
}
