import { path } from './api-client.ts'
import { apiCommand, args, argument, group, integerFlag, type ListFlags, limitFlag } from './command.ts'
import { tenantId } from './resolve.ts'
import type { ConnectionFlags } from './session.ts'
import { age } from './text.ts'
import type { TenantView } from './views.ts'

const tenant = argument('TENANT', 'Name or id')

export const tenantCommands = group('Tenants and their limits', {
  list: apiCommand<ListFlags>({
    brief: 'List tenants',
    flags: { limit: limitFlag },
    run: async (session, flags) => {
      const { items, more } = await session.client.list<TenantView>('/tenants', {}, flags.limit)
      const columns = [
        { title: 'NAME', value: (row: TenantView) => row.name },
        { title: 'MAX INSTANCES', value: (row: TenantView) => row.max_instances },
        { title: 'MAX MEMORY MB', value: (row: TenantView) => row.max_total_memory_mb },
        { title: 'AGE', value: (row: TenantView) => age(row.created_at) },
        { title: 'ID', value: (row: TenantView) => row.id },
      ]
      session.showTable(items, columns, { more })
    },
  }),
  get: apiCommand<ConnectionFlags, [string]>({
    brief: 'Show a tenant and its limits',
    positional: args(tenant),
    run: async (session, _, name) => {
      const id = await tenantId(session, name)
      session.showDetails(await session.client.get<TenantView>(path`/tenants/${id}`))
    },
  }),
  create: apiCommand<ConnectionFlags & { maxInstances?: number; maxMemoryMb?: number }, [string]>({
    brief: 'Create a tenant',
    positional: args(argument('NAME', 'a-z, 0-9 and -')),
    flags: {
      maxInstances: integerFlag('N', 'Most instances it may have (default: no limit)'),
      maxMemoryMb: integerFlag('MIB', 'Most memory over all its instances, in MiB (default: no limit)'),
    },
    run: async (session, flags, name) => {
      const body = { name, max_instances: flags.maxInstances, max_total_memory_mb: flags.maxMemoryMb }
      session.showDetails((await session.client.send<TenantView>('POST', '/tenants', body)).body)
    },
  }),
  delete: apiCommand<ConnectionFlags, [string]>({
    brief: 'Delete a tenant that has no instances',
    positional: args(tenant),
    run: async (session, _, name) => {
      const id = await tenantId(session, name)
      await session.client.send('DELETE', path`/tenants/${id}`)
      session.show({ id, deleted: true }, () => '')
      session.note(`Tenant ${name} is deleted.`)
    },
  }),
})
