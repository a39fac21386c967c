import { presetNames } from '../domain/acl/presets.ts'
import { path } from './api-client.ts'
import {
  apiCommand,
  args,
  argument,
  group,
  integerFlag,
  type ListFlags,
  limitFlag,
  switchFlag,
  type TenantFlags,
  tenantFlag,
  textFlag,
  textsFlag,
  type WaitFlags,
  waitFlags,
} from './command.ts'
import { CliError, exitCodes, usageError } from './exit-code.ts'
import { connect, connection, session, settingsCommand, url } from './instance-access.ts'
import { withNext } from './next-step.ts'
import { finish } from './operation-report.ts'
import { confirmed, readPassword } from './password.ts'
import { currentTenantId, findInstance, instancesPath, ofTenant, shardId, tenantId } from './resolve.ts'
import type { Session } from './session.ts'
import { age } from './text.ts'
import type { InstanceView } from './views.ts'

const instance = argument('INSTANCE', 'Name or id')
type Change = TenantFlags & WaitFlags
const changeFlags = { ...waitFlags, tenant: tenantFlag }

const reread = (session: Session, id: string) => () => session.client.get<InstanceView>(path`/valkey-instances/${id}`)

const list = apiCommand<TenantFlags & ListFlags & { allTenants?: boolean }>({
  brief: 'List the instances of a tenant',
  flags: {
    limit: limitFlag,
    tenant: tenantFlag,
    allTenants: switchFlag('Those of every tenant and of none (platform keys)'),
  },
  run: async (session, flags) => {
    if (flags.allTenants && flags.tenant !== undefined) throw usageError('Give --tenant or --all-tenants, not both')
    const from = flags.allTenants ? '/valkey-instances' : await instancesPath(session, flags.tenant)
    const { items, more } = await session.client.list<InstanceView>(from, {}, flags.limit)
    const columns = [
      { title: 'NAME', value: (row: InstanceView) => row.name },
      { title: 'STATUS', value: (row: InstanceView) => row.status },
      { title: 'HEALTH', value: (row: InstanceView) => row.health },
      { title: 'PORT', value: (row: InstanceView) => row.port },
      { title: 'MEMORY MB', value: (row: InstanceView) => row.max_memory_mb },
      { title: 'ENGINE', value: (row: InstanceView) => row.engine_version },
      ...(flags.allTenants ? [{ title: 'TENANT', value: (row: InstanceView) => row.tenant_id }] : []),
      { title: 'AGE', value: (row: InstanceView) => age(row.created_at) },
      { title: 'ID', value: (row: InstanceView) => row.id },
    ]
    session.showTable(items, columns, { more })
  },
})

type CreateFlags = Change & {
  memoryMb?: number
  shard?: string
  user?: string[]
  privileges?: string[]
  keyPattern?: string
  passwordStdin?: boolean
  passwordPrompt?: boolean
}

const create = apiCommand<CreateFlags, [string]>({
  brief: 'Create an instance, with users where wanted',
  description:
    'For example: valkeep instance create myapp --memory-mb 128 --user app\n' +
    "Users' passwords are generated and shown once, unless there is one user and you give its password.",
  positional: args(argument('NAME', 'a-z, 0-9 and -')),
  flags: {
    memoryMb: integerFlag('MIB', "Valkey's maxmemory in MiB (default: 64)"),
    shard: textFlag('SHARD', 'Where to place it (default: the platform chooses)'),
    user: textsFlag('USERNAME', 'A user to create with it; several times for several'),
    privileges: textsFlag(
      'RULE',
      `What those users may do: a preset (${presetNames.join(', ')}) or ACL rules (default: read-write)`,
    ),
    keyPattern: textFlag('PATTERN', 'The keys those users may touch (default: all, ~*)'),
    passwordStdin: switchFlag("Read the user's password from standard input"),
    passwordPrompt: switchFlag("Ask for the user's password, without echo"),
    ...changeFlags,
  },
  run: async (session, flags, name) => {
    const usernames = flags.user ?? []
    const asksPassword = flags.passwordStdin || flags.passwordPrompt
    if (asksPassword && usernames.length !== 1)
      throw usageError('A password can be given for one user', 'Give --user exactly once')
    const tenant = await currentTenantId(session, flags.tenant)
    const shard = flags.shard === undefined ? undefined : await shardId(session, flags.shard)
    const password = await readPassword(session.context, flags)
    const privileges = flags.privileges?.length ? flags.privileges : ['read-write']
    const users = usernames.map((username) => ({ username, password, privileges, key_pattern: flags.keyPattern }))
    const body = { name, max_memory_mb: flags.memoryMb, shard_id: shard, users: users.length > 0 ? users : undefined }
    const sent = session.client.send<InstanceView>('POST', path`/tenants/${tenant}/valkey-instances`, body)
    const answer = await withNext(sent, {
      'name-taken': `Choose another name; what there is: valkeep instance list${ofTenant(flags.tenant)}`,
      'limit-reached': `The tenant's limits: valkeep tenant get ${flags.tenant ?? session.context.defaults.tenant ?? 'default'}`,
    })
    await finish(session, flags, {
      answer,
      title: `Creating instance ${name}`,
      reread: reread(session, answer.body.id),
    })
    if (!session.json) session.note(`Next: valkeep instance connect ${name}${ofTenant(flags.tenant)}`)
  },
})

/** `key=value` to a setting: JSON where it is JSON (numbers, true, false, null, lists), else text. */
export function parseAssignment(text: string): [string, unknown] {
  const at = text.indexOf('=')
  if (at < 1) throw new SyntaxError(`${text} is not KEY=VALUE`)
  const value = text.slice(at + 1)
  try {
    return [text.slice(0, at), JSON.parse(value)]
  } catch {
    return [text.slice(0, at), value]
  }
}

/** Names that there are not get the ones that were probably meant. */
async function explainSettings(error: unknown, given: readonly [string, unknown][]): Promise<never> {
  if (!(error instanceof CliError) || error.status !== 422 || given.length === 0) throw error
  const { withSettingHints } = await import('./instance-settings.ts')
  throw withSettingHints(
    error,
    given.map(([name]) => name),
  )
}

type UpdateFlags = Change & { memoryMb?: number; set?: [string, unknown][]; deletionProtection?: boolean }

const update = apiCommand<UpdateFlags, [string]>({
  brief: 'Change memory, settings or deletion protection',
  description:
    'For example: valkeep instance update myapp --memory-mb 256 --set maxmemory_policy=allkeys-lfu\n' +
    'What may be set: valkeep instance settings',
  positional: args(instance),
  flags: {
    memoryMb: integerFlag('MIB', "Valkey's maxmemory in MiB; changes live"),
    set: {
      kind: 'parsed',
      parse: parseAssignment,
      optional: true,
      variadic: true,
      placeholder: 'KEY=VALUE',
      brief: '<KEY=VALUE> A setting (see: instance settings); several times for several',
    },
    deletionProtection: { kind: 'boolean', optional: true, brief: 'Refuse to delete it' },
    ...changeFlags,
  },
  run: async (session, flags, name) => {
    const body = {
      max_memory_mb: flags.memoryMb,
      settings: flags.set?.length ? Object.fromEntries(flags.set) : undefined,
      deletion_protection: flags.deletionProtection,
    }
    if (Object.values(body).every((value) => value === undefined))
      throw usageError('Nothing to change', 'Add --memory-mb, --set KEY=VALUE or --deletion-protection')
    const { id } = await findInstance(session, name, flags.tenant)
    const sent = session.client.send<InstanceView>('PATCH', path`/valkey-instances/${id}`, body)
    const answer = await sent.catch((error) => explainSettings(error, flags.set ?? []))
    await finish(session, flags, { answer, title: `Updating instance ${name}`, reread: reread(session, id) })
  },
})

/** The instance as it is now; of a deletion that was resumed nothing is left to read. */
const rereadIfThere = (session: Session, id: string) => async () => {
  const now = await reread(session, id)().catch((error) => error as Error)
  if (now instanceof CliError && now.exitCode === exitCodes.notFound) return { id, status: 'deleted' }
  if (now instanceof Error) throw now
  return now
}

async function act(
  session: Session,
  flags: Change,
  name: string,
  verb: string,
  title: string,
  body?: object,
): Promise<void> {
  const { id } = await findInstance(session, name, flags.tenant)
  const sent = session.client.send<InstanceView>('POST', `${path`/valkey-instances/${id}`}/${verb}`, body)
  const look = `valkeep instance get ${name}${ofTenant(flags.tenant)}, valkeep operation list --instance ${id}`
  const answer = await withNext(sent, { 'wrong-state': `Look at its status: ${look}` })
  await finish(session, flags, { answer, title: `${title} instance ${name}`, reread: rereadIfThere(session, id) })
}

const stop = apiCommand<Change, [string]>({
  brief: 'Stop an instance; its data stays',
  positional: args(instance),
  flags: changeFlags,
  run: (session, flags, name) => act(session, flags, name, 'stop', 'Stopping'),
})

const start = apiCommand<Change, [string]>({
  brief: 'Start a stopped instance',
  positional: args(instance),
  flags: changeFlags,
  run: (session, flags, name) => act(session, flags, name, 'start', 'Starting'),
})

const retry = apiCommand<Change & { acceptData?: string; acceptEngine?: string }, [string]>({
  brief: 'Resume the change that failed, a deletion too',
  positional: args(instance),
  flags: {
    acceptData: textFlag('rdb|empty', 'Start on less than there was: from the last snapshot, or empty'),
    acceptEngine: textFlag('VERSION', 'Move to the newer Valkey that the node has now; there is no way back'),
    ...changeFlags,
  },
  run: (session, flags, name) => {
    const accepted = {
      ...(flags.acceptData === undefined ? {} : { accept_data: flags.acceptData }),
      ...(flags.acceptEngine === undefined ? {} : { accept_engine: flags.acceptEngine }),
    }
    const body = Object.keys(accepted).length === 0 ? undefined : accepted
    return act(session, flags, name, 'retry', 'Retrying', body)
  },
})

const remove = apiCommand<Change & { yes?: boolean }, [string]>({
  brief: 'Delete an instance and its data, for good',
  positional: args(instance),
  flags: { yes: switchFlag('Do not ask (a script is never asked)'), ...changeFlags },
  run: async (session, flags, name) => {
    const { id, name: fullName } = await findInstance(session, name, flags.tenant)
    if (!flags.yes && !(await confirmed(session.context, `Delete instance ${fullName} and all its data?`, fullName)))
      throw new CliError(exitCodes.interrupted, 'Nothing was deleted')
    const sent = session.client.send<InstanceView>('DELETE', path`/valkey-instances/${id}`)
    const unprotect = `valkeep instance update ${name}${ofTenant(flags.tenant)} --no-deletion-protection`
    const answer = await withNext(sent, { protected: `Take the protection off first: ${unprotect}` })
    await finish(session, flags, { answer, title: `Deleting instance ${fullName}`, reread: null })
  },
})

const reassign = apiCommand<TenantFlags & { to?: string; detach?: boolean }, [string]>({
  brief: 'Give an instance to another tenant, or to none',
  positional: args(instance),
  flags: {
    tenant: tenantFlag,
    to: textFlag('TENANT', 'Its new tenant, by name or id'),
    detach: switchFlag('It belongs to no tenant then'),
  },
  run: async (session, flags, name) => {
    if ((flags.to === undefined) !== (flags.detach === true))
      throw usageError('Where to?', 'Give either --to TENANT or --detach')
    const { id } = await findInstance(session, name, flags.tenant)
    const to = flags.to === undefined ? null : await tenantId(session, flags.to)
    session.showDetails(
      (await session.client.send<InstanceView>('PUT', path`/valkey-instances/${id}/tenant`, { tenant_id: to })).body,
    )
  },
})

export const instanceCommands = group('Valkey instances', {
  list,
  get: apiCommand<TenantFlags, [string]>({
    brief: 'Show an instance',
    positional: args(instance),
    flags: { tenant: tenantFlag },
    run: async (session, flags, name) => session.showDetails(await findInstance(session, name, flags.tenant)),
  }),
  create,
  update,
  stop,
  start,
  retry,
  delete: remove,
  reassign,
  settings: settingsCommand,
  connection,
  url,
  connect,
  session,
})
