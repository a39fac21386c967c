import { path } from './api-client.ts'
import { apiCommand, args, argument, group, type ListFlags, limitFlag, textsFlag } from './command.ts'
import { usageError } from './exit-code.ts'
import { withNext } from './next-step.ts'
import { nodeId, shardId } from './resolve.ts'
import type { ConnectionFlags } from './session.ts'
import { age } from './text.ts'
import type { ShardView } from './views.ts'

const shard = argument('SHARD', 'Name or id')

export const shardCommands = group('Groups of nodes that instances are placed on', {
  list: apiCommand<ListFlags>({
    brief: 'List shards',
    flags: { limit: limitFlag },
    run: async (session, flags) => {
      const { items, more } = await session.client.list<ShardView>('/shards', {}, flags.limit)
      const columns = [
        { title: 'NAME', value: (row: ShardView) => row.name },
        { title: 'ROLE', value: (row: ShardView) => row.role },
        { title: 'NODES', value: (row: ShardView) => row.node_ids.length },
        { title: 'AGE', value: (row: ShardView) => age(row.created_at) },
        { title: 'ID', value: (row: ShardView) => row.id },
      ]
      session.showTable(items, columns, { more })
    },
  }),
  get: apiCommand<ConnectionFlags, [string]>({
    brief: 'Show a shard and its nodes',
    positional: args(shard),
    run: async (session, _, name) => {
      session.showDetails(await session.client.get<ShardView>(path`/shards/${await shardId(session, name)}`))
    },
  }),
  create: apiCommand<ConnectionFlags & { node?: string[] }, [string]>({
    brief: 'Create a shard',
    positional: args(argument('NAME', 'a-z, 0-9 and -')),
    flags: { node: textsFlag('NODE', 'A node of it, by name or id; several times for several') },
    run: async (session, flags, name) => {
      const nodes = flags.node ?? []
      if (nodes.length === 0)
        throw usageError('A shard needs a node', 'Add --node NAME; what there is: valkeep node list')
      const ids: string[] = []
      for (const node of nodes) ids.push(await nodeId(session, node))
      const sent = session.client.send<ShardView>('POST', '/shards', { name, node_ids: ids })
      const taken = 'Choose another name; what there is: valkeep shard list'
      session.showDetails((await withNext(sent, { 'name-taken': taken })).body)
    },
  }),
  delete: apiCommand<ConnectionFlags, [string]>({
    brief: 'Delete a shard that holds no instances',
    positional: args(shard),
    run: async (session, _, name) => {
      const id = await shardId(session, name)
      const held = 'See what is on it: valkeep instance list --all-tenants --json'
      await withNext(session.client.send('DELETE', path`/shards/${id}`), { 'not-empty': held })
      session.show({ id, deleted: true }, () => '')
      session.note(`Shard ${name} is deleted.`)
    },
  }),
})
