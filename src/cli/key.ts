import { path } from './api-client.ts'
import {
  apiCommand,
  args,
  argument,
  group,
  type ListFlags,
  limitFlag,
  type TenantFlags,
  textFlag,
  textsFlag,
} from './command.ts'
import { usageError } from './exit-code.ts'
import { withNext } from './next-step.ts'
import { apiKeyId, tenantId } from './resolve.ts'
import type { ConnectionFlags } from './session.ts'
import { age } from './text.ts'
import type { ApiKeyView } from './views.ts'

const key = argument('KEY', 'Name or id')
/** The API checks them; here for the help and for completion. */
const scopes = ['valkey:read', 'valkey:write', 'valkey:delete', 'metrics', 'admin']

export const keyCommands = group('API keys', {
  list: apiCommand<ListFlags>({
    brief: 'List API keys',
    flags: { limit: limitFlag },
    run: async (session, flags) => {
      const { items, more } = await session.client.list<ApiKeyView>('/api-keys', {}, flags.limit)
      const columns = [
        { title: 'NAME', value: (row: ApiKeyView) => row.name },
        { title: 'SCOPES', value: (row: ApiKeyView) => row.scopes },
        { title: 'TENANT', value: (row: ApiKeyView) => row.tenant_id },
        { title: 'EXPIRES', value: (row: ApiKeyView) => row.expires_at },
        { title: 'AGE', value: (row: ApiKeyView) => age(row.created_at) },
        { title: 'ID', value: (row: ApiKeyView) => row.id },
      ]
      session.showTable(items, columns, { more })
    },
  }),
  get: apiCommand<ConnectionFlags, [string]>({
    brief: 'Show an API key, not its secret',
    positional: args(key),
    run: async (session, _, name) => {
      session.showDetails(await session.client.get<ApiKeyView>(path`/api-keys/${await apiKeyId(session, name)}`))
    },
  }),
  create: apiCommand<TenantFlags & { scope?: string[]; expiresAt?: string }, [string]>({
    brief: 'Create an API key, which is shown once',
    description: 'Without --tenant it is a platform key, which sees every tenant.',
    positional: args(argument('NAME', 'a-z, 0-9 and -')),
    flags: {
      scope: textsFlag('SCOPE', `What it may do: ${scopes.join(', ')}; several times for several`),
      tenant: textFlag('NAME|ID', 'The only tenant it is for (default: a platform key)'),
      expiresAt: textFlag('TIME', 'When it ends, for example 2030-01-31T00:00:00Z (default: never)'),
    },
    run: async (session, flags, name) => {
      if (!flags.scope?.length) throw usageError('A key needs a scope', `Add --scope, one of ${scopes.join(', ')}`)
      const tenant = flags.tenant === undefined ? undefined : await tenantId(session, flags.tenant)
      const body = { name, scopes: flags.scope, tenant_id: tenant, expires_at: flags.expiresAt }
      const sent = session.client.send<ApiKeyView & { key?: string }>('POST', '/api-keys', body)
      const taken = 'Choose another name; what there is: valkeep key list'
      session.showDetails((await withNext(sent, { 'name-taken': taken })).body)
      session.note('The key is shown this once. Keep it in a file of mode 0600 and use it with --key-file.')
    },
  }),
  delete: apiCommand<ConnectionFlags, [string]>({
    brief: 'Delete an API key: it is refused from then on',
    positional: args(key),
    run: async (session, _, name) => {
      const id = await apiKeyId(session, name)
      const other = 'Make another admin key first, and delete this one with it: valkeep key create NAME --scope admin'
      await withNext(session.client.send('DELETE', path`/api-keys/${id}`), { 'wrong-state': other })
      session.show({ id, deleted: true }, () => '')
      session.note(`API key ${name} is deleted.`)
    },
  }),
})
