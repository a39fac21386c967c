import type { CreateShard, Shard } from '../domain/model/shard.ts'
import { Problem } from '../domain/problem.ts'
import { findNodes } from '../store/nodes.ts'
import { deleteShard, findShard, findShardByName, insertShard, isShardEmpty } from '../store/shards.ts'
import type { Tx } from '../store/store.ts'
import { checkRevision } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { nameTaken } from './name-taken.ts'
import type { UseCase } from './use-case.ts'

/** @throws Problem invalid naming the nodes that are unknown or named twice */
async function checkNodes(tx: Tx, nodeIds: readonly string[]): Promise<void> {
  const known = new Set((await findNodes(tx, [...new Set(nodeIds)])).map((node) => node.id))
  const errors = nodeIds.flatMap((id, index) => {
    const pointer = `/node_ids/${index}`
    if (nodeIds.indexOf(id) !== index) return [{ pointer, code: 'duplicate', detail: 'named twice' }]
    return known.has(id) ? [] : [{ pointer, code: 'unknown', detail: 'there is no such node' }]
  })
  if (errors.length > 0) throw new Problem('invalid', `${errors[0]?.pointer}: ${errors[0]?.detail}`, { errors })
}

export const makeCreateShard =
  (deps: ControlDeps): UseCase<CreateShard, Shard> =>
  async (tx, context, body) => {
    if (await findShardByName(tx, body.name)) throw nameTaken('shard', body.name)
    await checkNodes(tx, body.node_ids)
    const shard: Shard = {
      id: deps.newId('shard'),
      name: body.name,
      role: 'valkey',
      nodeIds: body.node_ids,
      createdAt: context.now,
      updatedAt: context.now,
      revision: 1,
    }
    await insertShard(tx, shard)
    return { result: shard, audit: { action: 'shard.create', target: shard.id, detail: { ...body } } }
  }

/** Only a shard without instances; its nodes stay. */
export const makeDeleteShard =
  (): UseCase<{ id: string }, null> =>
  async (tx, context, { id }) => {
    const shard = await findShard(tx, id)
    if (shard === undefined) throw new Problem('not-found', 'There is no such shard.')
    checkRevision(context, shard)
    if (!(await isShardEmpty(tx, id))) throw new Problem('not-empty', 'The shard has instances.')
    await deleteShard(tx, id)
    return { result: null, audit: { action: 'shard.delete', target: id, detail: { name: shard.name } } }
  }
