/** Names or ids are accepted wherever one is wanted: a name is looked up in the list it is unique in. */
import { type ApiClient, path, type Query } from './api-client.ts'
import { CliError, exitCodes } from './exit-code.ts'
import type { Session } from './session.ts'
import type { InstanceView, UserView } from './views.ts'

const idPattern = (prefix: string) => new RegExp(`^${prefix}_[0-9a-f]{32}$`)
/** Names hold no underscore and an id has one: what looks like an id is one, wrong ones too. */
const isId = (text: string, prefix: string) => idPattern(prefix).test(text)

export const isUserId = (text: string): boolean => isId(text, 'usr')

async function byName<T extends { id: string }>(
  client: ApiClient,
  path: string,
  noun: string,
  isIt: (row: T) => boolean,
  name: string,
  next: string,
  query: Query = {},
): Promise<T> {
  const { items } = await client.list<T>(path, query, Number.POSITIVE_INFINITY)
  const [row, second] = items.filter(isIt)
  if (second !== undefined)
    throw new CliError(exitCodes.usage, `There are several of the name ${JSON.stringify(name)}`, {
      next: 'Say which by --tenant ID, or by its id.',
    })
  if (row === undefined) throw new CliError(exitCodes.notFound, `There is no ${noun} ${JSON.stringify(name)}`, { next })
  return row
}

const named =
  (listPath: string, prefix: string, noun: string) =>
  async ({ client }: Session, nameOrId: string): Promise<string> => {
    if (isId(nameOrId, prefix)) return nameOrId
    const next = `What there is: valkeep ${noun === 'API key' ? 'key' : noun} list`
    return (
      await byName<{ id: string; name: string }>(client, listPath, noun, (row) => row.name === nameOrId, nameOrId, next)
    ).id
  }

export const shardId = named('/shards', 'shd', 'shard')
export const nodeId = named('/nodes', 'nod', 'node')
export const apiKeyId = named('/api-keys', 'key', 'API key')
const tenantByName = named('/tenants', 'ten', 'tenant')

/** A tenant's id from its name or id. A tenant's own key may not list tenants: it has to say the id. */
export async function tenantId(session: Session, nameOrId: string): Promise<string> {
  try {
    return await tenantByName(session, nameOrId)
  } catch (error) {
    if (!(error instanceof CliError) || error.status !== 403) throw error
    throw new CliError(error.exitCode, error.message, {
      reasons: error.reasons,
      status: error.status,
      code: error.code,
      next: 'With a key that is not an admin’s, name the tenant by its id: --tenant ten_… (or VALKEEP_TENANT)',
    })
  }
}

/** What a command that is proposed has to carry to mean the same tenant. */
export const ofTenant = (flag: string | undefined): string => (flag === undefined ? '' : ` --tenant ${flag}`)

/** The tenant that a command means: --tenant, VALKEEP_TENANT, or `default`. */
export const currentTenantId = (session: Session, flag: string | undefined): Promise<string> =>
  tenantId(session, flag ?? session.context.defaults.tenant ?? 'default')

/**
 * The instances among which a name is looked up: those of the tenant. A key that may not look tenants up by name sees,
 * where no tenant was asked for, those it can see at all.
 */
export async function instancesPath(session: Session, tenant: string | undefined): Promise<string> {
  try {
    return path`/tenants/${await currentTenantId(session, tenant)}/valkey-instances`
  } catch (error) {
    const asked = tenant ?? session.context.defaults.tenant
    if (asked === undefined && error instanceof CliError && error.status === 403) return '/valkey-instances'
    throw error
  }
}

/** An instance from its id, or from its name within the tenant. */
export async function findInstance(
  session: Session,
  nameOrId: string,
  tenant: string | undefined,
): Promise<InstanceView> {
  const { client } = session
  if (isId(nameOrId, 'ins')) return client.get<InstanceView>(path`/valkey-instances/${nameOrId}`)
  const list = await instancesPath(session, tenant)
  const next = `What there is: valkeep instance list${tenant === undefined ? ' (another tenant: --tenant NAME)' : ` --tenant ${tenant}`}`
  // A tenant's own list looks the name up; what can be no name is not asked for.
  const query = list.startsWith('/tenants/') && /^[a-z][a-z0-9-]{0,62}$/.test(nameOrId) ? { name: nameOrId } : {}
  return byName<InstanceView>(client, list, 'instance', (row) => row.name === nameOrId, nameOrId, next, query)
}

/** A user from its id alone, or from its instance and username. */
export async function findUser(
  session: Session,
  first: string,
  username: string | undefined,
  tenant: string | undefined,
): Promise<UserView> {
  const { client } = session
  if (username === undefined) {
    if (isId(first, 'usr')) return client.get<UserView>(path`/valkey-users/${first}`)
    throw new CliError(exitCodes.usage, `Which user of instance ${JSON.stringify(first)}?`, {
      next: `Name it after the instance, or give a user's id alone: valkeep user list ${first}`,
    })
  }
  if (isId(username, 'usr')) return client.get<UserView>(path`/valkey-users/${username}`)
  const instance = await findInstance(session, first, tenant)
  const list = path`/valkey-instances/${instance.id}/users`
  const next = `What there is: valkeep user list ${first}`
  return byName<UserView>(client, list, 'user', (row) => row.username === username, username, next)
}
