import { path } from './api-client.ts'
import { apiCommand, args, argument, group, type ListFlags, limitFlag } from './command.ts'
import { nodeId } from './resolve.ts'
import type { ConnectionFlags } from './session.ts'
import type { NodeView } from './views.ts'

export const nodeCommands = group('Machines that run instances', {
  list: apiCommand<ListFlags>({
    brief: 'List nodes with their memory',
    flags: { limit: limitFlag },
    run: async (session, flags) => {
      const { items, more } = await session.client.list<NodeView>('/nodes', {}, flags.limit)
      const columns = [
        { title: 'NAME', value: (row: NodeView) => row.name },
        { title: 'ADDRESS', value: (row: NodeView) => row.address },
        { title: 'RESERVED MB', value: (row: NodeView) => row.reserved_mb },
        { title: 'CAPACITY MB', value: (row: NodeView) => row.capacity_mb },
        { title: 'PORTS', value: (row: NodeView) => `${row.port_min}-${row.port_max}` },
        { title: 'ID', value: (row: NodeView) => row.id },
      ]
      session.showTable(items, columns, { more })
    },
  }),
  get: apiCommand<ConnectionFlags, [string]>({
    brief: 'Show a node',
    positional: args(argument('NODE', 'Name or id')),
    run: async (session, _, name) => {
      session.showDetails(await session.client.get<NodeView>(path`/nodes/${await nodeId(session, name)}`))
    },
  }),
})
