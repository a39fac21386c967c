/** Where a new instance goes: the node with the most room in the shard asked for, or in any. */
import type { Timestamp } from '../domain/model/common.ts'
import type { Shard } from '../domain/model/shard.ts'
import { Problem } from '../domain/problem.ts'
import { addReserved, findNodes } from '../store/nodes.ts'
import { allocatePort } from '../store/ports.ts'
import { allShards, findShard } from '../store/shards.ts'
import type { Tx } from '../store/store.ts'
import { type NodeRoom, noRoom, roomMb } from './capacity.ts'
import type { ControlDeps } from './deps.ts'

export type Place = { shard: Shard; node: NodeRoom; port: number; engineVersion: string }

async function candidates(tx: Tx, shardId: string | undefined): Promise<Shard[]> {
  if (shardId === undefined) return allShards(tx)
  const shard = await findShard(tx, shardId)
  if (shard !== undefined) return [shard]
  const detail = 'there is no such shard'
  throw new Problem('invalid', `/shard_id: ${detail}`, { errors: [{ pointer: '/shard_id', code: 'unknown', detail }] })
}

/**
 * Reserves memory and a port for one server.
 * @throws Problem no-room naming both numbers, no-port where every port of the nodes with room is in use
 */
export async function place(
  deps: ControlDeps,
  tx: Tx,
  asked: { shardId: string | undefined; memoryMb: number; serverId: string; now: Timestamp },
): Promise<Place> {
  const found = await candidates(tx, asked.shardId)
  const rows = new Map((await findNodes(tx, [...new Set(found.flatMap((s) => s.nodeIds))])).map((n) => [n.id, n]))
  const options = found
    .flatMap((shard) =>
      shard.nodeIds.flatMap((id) => (rows.has(id) ? [{ shard, node: rows.get(id) as NodeRoom }] : [])),
    )
    .flatMap((option) => {
      const engineVersion = deps.engineVersion(option.node.id)
      return engineVersion === undefined ? [] : [{ ...option, engineVersion }]
    })
    .sort((a, b) => roomMb(b.node, deps.overcommit) - roomMb(a.node, deps.overcommit))
  const [roomiest] = options
  if (roomiest === undefined) throw new Problem('no-room', 'There is no node that can take an instance.')
  if (roomMb(roomiest.node, deps.overcommit) < asked.memoryMb)
    throw noRoom(roomiest.node, asked.memoryMb, deps.overcommit)
  for (const option of options) {
    if (roomMb(option.node, deps.overcommit) < asked.memoryMb) break
    const port = await allocatePort(tx, option.node.id, asked.serverId, asked.now)
    if (port === undefined) continue
    await addReserved(tx, option.node.id, asked.memoryMb)
    return { ...option, port }
  }
  throw new Problem('no-port', `Every port of node ${roomiest.node.name} is in use or cooling down.`)
}
