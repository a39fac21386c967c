import type { Selectable } from 'kysely'
import type { Node } from '../domain/model/node.ts'
import { type Listed, listed, type Page, pageStart, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

/** A node and what is reserved on it: the sum of max_memory_mb over its servers, in MiB. */
export type ReservedNode = Node & { reservedMb: number }

const list = 'nodes'

const toNode = (row: Selectable<Database['nodes']>): ReservedNode => {
  const { nextPort: _, ...node } = fromRow(row)
  return { ...node, agent: node.agent as Node['agent'] }
}

/** @throws a unique violation where the name is taken */
export async function insertNode(tx: Tx, node: Node): Promise<void> {
  await tx
    .insertInto('nodes')
    .values({ ...toRow(node), reserved_mb: 0, next_port: node.portMin })
    .execute()
}

export async function findNode(tx: Tx, id: string): Promise<ReservedNode | undefined> {
  const row = await tx.selectFrom('nodes').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toNode(row)
}

export async function findNodeByName(tx: Tx, name: string): Promise<ReservedNode | undefined> {
  const row = await tx.selectFrom('nodes').selectAll().where('name', '=', name).executeTakeFirst()
  return row && toNode(row)
}

/** Those that are there, in the order of ids. */
export async function findNodes(tx: Tx, ids: readonly string[]): Promise<ReservedNode[]> {
  if (ids.length === 0) return []
  const rows = await tx.selectFrom('nodes').selectAll().where('id', 'in', ids).orderBy('id').execute()
  return rows.map(toNode)
}

/** Oldest first. @throws BadCursor */
export async function listNodes(tx: Tx, page: Page): Promise<Listed<ReservedNode>> {
  const rows = await tx
    .selectFrom('nodes')
    .selectAll()
    .where('id', '>', pageStart(list, page))
    .orderBy('id')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, rows.map(toNode))
}

/** The nodes of a shard, oldest first. */
export async function nodesOfShard(tx: Tx, shardId: string): Promise<ReservedNode[]> {
  const rows = await tx
    .selectFrom('shard_nodes')
    .innerJoin('nodes', 'nodes.id', 'shard_nodes.node_id')
    .selectAll('nodes')
    .where('shard_nodes.shard_id', '=', shardId)
    .orderBy('shard_nodes.node_id')
    .execute()
  return rows.map(toNode)
}

/** What a start finds different about a node it knows already, and when. */
export type NodePatch = Partial<Omit<Node, 'id' | 'name' | 'createdAt' | 'revision'>> & Pick<Node, 'updatedAt'>

export async function updateNode(tx: Tx, id: string, patch: NodePatch): Promise<void> {
  await tx
    .updateTable('nodes')
    .set((e) => ({ ...toRow(patch), revision: e('revision', '+', 1) }))
    .where('id', '=', id)
    .execute()
}

/** Adds to what is reserved (or takes from it); no revision bump. @returns the new sum in MiB */
export async function addReserved(tx: Tx, nodeId: string, deltaMb: number): Promise<number> {
  const { reserved_mb } = await tx
    .updateTable('nodes')
    .set((e) => ({ reserved_mb: e('reserved_mb', '+', deltaMb) }))
    .where('id', '=', nodeId)
    .returning('reserved_mb')
    .executeTakeFirstOrThrow()
  if (reserved_mb < 0) throw new Error(`node ${nodeId}: less than nothing reserved (${reserved_mb} MiB)`)
  return reserved_mb
}
