import { path } from './api-client.ts'
import { apiCommand, args, argument, group, integer, integerFlag, type ListFlags, limitFlag } from './command.ts'
import { usageError } from './exit-code.ts'
import { withNext } from './next-step.ts'
import { tenantId } from './resolve.ts'
import type { ConnectionFlags } from './session.ts'
import { age } from './text.ts'
import type { TenantView } from './views.ts'

const tenant = argument('TENANT', 'Name or id')

/** A number, or `none` for no limit. */
type Limit = number | 'none'
const ofLimit = (limit: Limit | undefined) => (limit === 'none' ? null : limit)
const limitFlagOf = (brief: string) =>
  ({
    kind: 'parsed',
    parse: (text: string): Limit => (text === 'none' ? 'none' : integer(text)),
    optional: true,
    placeholder: 'N|none',
    brief: `<N|none> ${brief}`,
  }) as const

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
  create: apiCommand<ConnectionFlags & { maxInstances?: number; maxTotalMemoryMb?: number }, [string]>({
    brief: 'Create a tenant',
    positional: args(argument('NAME', 'a-z, 0-9 and -')),
    flags: {
      maxInstances: integerFlag('N', 'Most instances it may have (default: no limit)'),
      maxTotalMemoryMb: integerFlag('MIB', 'Most memory over all its instances, in MiB (default: no limit)'),
    },
    run: async (session, flags, name) => {
      const body = { name, max_instances: flags.maxInstances, max_total_memory_mb: flags.maxTotalMemoryMb }
      const sent = session.client.send<TenantView>('POST', '/tenants', body)
      const taken = 'Choose another name; what there is: valkeep tenant list'
      session.showDetails((await withNext(sent, { 'name-taken': taken })).body)
    },
  }),
  update: apiCommand<ConnectionFlags & { maxInstances?: Limit; maxTotalMemoryMb?: Limit }, [string]>({
    brief: "Change a tenant's limits",
    description: 'They hold for what is asked from now on: nothing that the tenant has is taken away.',
    positional: args(tenant),
    flags: {
      maxInstances: limitFlagOf('Most instances it may have'),
      maxTotalMemoryMb: limitFlagOf('Most memory over all its instances, in MiB'),
    },
    run: async (session, flags, name) => {
      const body = {
        max_instances: ofLimit(flags.maxInstances),
        max_total_memory_mb: ofLimit(flags.maxTotalMemoryMb),
      }
      if (Object.values(body).every((value) => value === undefined))
        throw usageError('Nothing to change', 'Add --max-instances or --max-total-memory-mb')
      const id = await tenantId(session, name)
      session.showDetails((await session.client.send<TenantView>('PATCH', path`/tenants/${id}`, body)).body)
    },
  }),
  delete: apiCommand<ConnectionFlags, [string]>({
    brief: 'Delete a tenant that has no instances',
    positional: args(tenant),
    run: async (session, _, name) => {
      const id = await tenantId(session, name)
      const held = `Delete its instances first: valkeep instance list --tenant ${name}`
      await withNext(session.client.send('DELETE', path`/tenants/${id}`), { 'not-empty': held })
      session.show({ id, deleted: true }, () => '')
      session.note(`Tenant ${name} is deleted.`)
    },
  }),
})
