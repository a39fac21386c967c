import type { Selectable } from 'kysely'
import type { Shard } from '../domain/model/shard.ts'
import { type Listed, listed, type Page, pageStart, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

const list = 'shards'

/** Adds the nodes' ids, in the order of ids, with one query for all. */
async function withNodes(tx: Tx, rows: Selectable<Database['shards']>[]): Promise<Shard[]> {
  if (rows.length === 0) return []
  const ids = rows.map((row) => row.id)
  const members = await tx
    .selectFrom('shard_nodes')
    .selectAll()
    .where('shard_id', 'in', ids)
    .orderBy('shard_id')
    .orderBy('node_id')
    .execute()
  const byShard = Map.groupBy(members, (member) => member.shard_id)
  return rows.map((row) => ({
    ...fromRow(row),
    role: row.role as Shard['role'],
    nodeIds: (byShard.get(row.id) ?? []).map((member) => member.node_id),
  }))
}

/** @throws a unique violation where the name is taken; a foreign key violation for a node that is not there */
export async function insertShard(tx: Tx, shard: Shard): Promise<void> {
  const { nodeIds, ...rest } = shard
  await tx.insertInto('shards').values(toRow(rest)).execute()
  if (nodeIds.length === 0) return
  await tx
    .insertInto('shard_nodes')
    .values(nodeIds.map((nodeId) => ({ shard_id: shard.id, node_id: nodeId })))
    .execute()
}

export async function findShard(tx: Tx, id: string): Promise<Shard | undefined> {
  const [shard] = await withNodes(tx, await tx.selectFrom('shards').selectAll().where('id', '=', id).execute())
  return shard
}

export async function findShardByName(tx: Tx, name: string): Promise<Shard | undefined> {
  const [shard] = await withNodes(tx, await tx.selectFrom('shards').selectAll().where('name', '=', name).execute())
  return shard
}

/** All shards, oldest first: where an instance may be placed. There are few. */
export async function allShards(tx: Tx): Promise<Shard[]> {
  return withNodes(tx, await tx.selectFrom('shards').selectAll().where('id', '>', '').orderBy('id').execute())
}

/** Oldest first. @throws BadCursor */
export async function listShards(tx: Tx, page: Page): Promise<Listed<Shard>> {
  const rows = await tx
    .selectFrom('shards')
    .selectAll()
    .where('id', '>', pageStart(list, page))
    .orderBy('id')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, await withNodes(tx, rows))
}

/** No instance is placed on it, deleted ones aside. */
export async function isShardEmpty(tx: Tx, id: string): Promise<boolean> {
  const row = await tx
    .selectFrom('instances')
    .select('id')
    .where('shard_id', '=', id)
    .where('deleted_at', 'is', null)
    .limit(1)
    .executeTakeFirst()
  return row === undefined
}

/** Its deleted instances forget it. @throws where it still has instances */
export async function deleteShard(tx: Tx, id: string): Promise<void> {
  await tx
    .updateTable('instances')
    .set({ shard_id: null })
    .where('shard_id', '=', id)
    .where('deleted_at', 'is not', null)
    .execute()
  await tx.deleteFrom('shards').where('id', '=', id).execute()
}
