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
import { finish } from './operation-report.ts'
import { confirmed, readPassword } from './password.ts'
import { currentTenantId, findInstance, instancesPath, shardId, tenantId } from './resolve.ts'
import type { Session } from './session.ts'
import { age } from './text.ts'
import type { ConnectionView, InstanceView } from './views.ts'

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
    const answer = await session.client.send<InstanceView>('POST', path`/tenants/${tenant}/valkey-instances`, body)
    await finish(session, flags, {
      answer,
      title: `Creating instance ${name}`,
      reread: reread(session, answer.body.id),
    })
    if (!session.json)
      session.note(
        `Next: valkeep instance connect ${name}${flags.tenant === undefined ? '' : ` --tenant ${flags.tenant}`}`,
      )
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

type UpdateFlags = Change & { memoryMb?: number; set?: [string, unknown][]; deletionProtection?: boolean }

const update = apiCommand<UpdateFlags, [string]>({
  brief: 'Change memory, settings or deletion protection',
  description: 'For example: valkeep instance update myapp --memory-mb 256 --set maxmemory_policy=allkeys-lfu',
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
    const answer = await session.client.send<InstanceView>('PATCH', path`/valkey-instances/${id}`, body)
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
  const answer = await session.client.send<InstanceView>('POST', `${path`/valkey-instances/${id}`}/${verb}`, body)
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
    const answer = await session.client.send<InstanceView>('DELETE', path`/valkey-instances/${id}`)
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

/** Fills the template; what is not known stays as a placeholder. */
export const fillUri = (template: string, username: string | undefined, password: string | undefined): string =>
  template
    .replaceAll('{username}', (whole) => (username === undefined ? whole : encodeURIComponent(username)))
    .replaceAll('{password}', (whole) => (password === undefined ? whole : encodeURIComponent(password)))

const url = apiCommand<TenantFlags & { user?: string; passwordStdin?: boolean }, [string]>({
  brief: 'Print the URL that clients connect to',
  description: 'The password stays a placeholder unless you type or pipe it in with --password-stdin.',
  positional: args(instance),
  flags: {
    user: textFlag('USERNAME', 'The user to connect as (default: left as a placeholder)'),
    passwordStdin: switchFlag('Read the password to put in from standard input'),
    tenant: tenantFlag,
  },
  run: async (session, flags, name) => {
    const { id } = await findInstance(session, name, flags.tenant)
    const connection = await session.client.get<ConnectionView>(path`/valkey-instances/${id}/connection`)
    const password = await readPassword(session.context, { passwordStdin: flags.passwordStdin ?? false })
    const filled = fillUri(connection.uri_template, flags.user, password)
    session.show({ url: filled }, () => `${filled}\n`)
  },
})

const connection = apiCommand<TenantFlags & { snippet?: string; ca?: boolean }, [string]>({
  brief: 'Show how to connect: address, CA, snippets',
  positional: args(instance),
  flags: {
    snippet: textFlag('LANGUAGE', 'Print only that snippet: valkey-cli, node, python, go'),
    ca: switchFlag('Print only the CA bundle (PEM): save it as ca.pem'),
    tenant: tenantFlag,
  },
  run: async (session, flags, name) => {
    const { id } = await findInstance(session, name, flags.tenant)
    const { snippets, ...rest } = await session.client.get<ConnectionView>(path`/valkey-instances/${id}/connection`)
    if (flags.ca) return session.show({ ca_pem: rest.ca_pem }, () => rest.ca_pem)
    if (flags.snippet === undefined)
      return session.show({ ...rest, snippets }, () => `${rest.uri_template}\n\n${snippets['valkey-cli']}`)
    const snippet = Object.entries(snippets).find(([language]) => language === flags.snippet)?.[1]
    if (snippet === undefined)
      throw usageError(`There is no snippet for ${flags.snippet}`, `One of: ${Object.keys(snippets).join(', ')}`)
    session.show({ snippet }, () => snippet)
  },
})

type SessionFlags = TenantFlags & { preset?: string; ttl?: number }
const sessionFlags = {
  preset: textFlag('PRESET', `What the session may do: ${presetNames.join(', ')} (default: read-only)`),
  ttl: integerFlag('SECONDS', 'How long it lasts at most (default: 3600)'),
  tenant: tenantFlag,
}

const session = apiCommand<SessionFlags, [string]>({
  brief: 'Create a short-lived user for a person, shown once',
  description: 'It is gone when its time is up, or with: valkeep user delete USER_ID',
  positional: args(instance),
  flags: sessionFlags,
  run: async (session, flags, name) => {
    const found = await findInstance(session, name, flags.tenant)
    const { makeSession } = await import('./instance-connect.ts')
    session.showDetails(await makeSession<object>(session, found, { preset: flags.preset, ttl_s: flags.ttl }))
    session.note('The password is shown this once and kept nowhere.')
  },
})

const connect = apiCommand<SessionFlags & { valkeyCli: string }, [string, ...string[]]>({
  brief: 'Open valkey-cli on an instance, as a user of its own',
  description:
    'The user is made for this session and is gone when it ends. What follows -- goes to valkey-cli:\n' +
    'valkeep instance connect myapp -- GET greeting',
  usage: ['[FLAGS] <INSTANCE> [-- ARGUMENT...]'],
  positional: {
    kind: 'array',
    parameter: argument('INSTANCE', 'Name or id; what follows goes to valkey-cli'),
    minimum: 1,
  },
  flags: {
    ...sessionFlags,
    valkeyCli: {
      kind: 'parsed',
      parse: String,
      default: 'valkey-cli',
      placeholder: 'FILE',
      brief: '<FILE> The valkey-cli program',
    },
  },
  run: async (session, flags, name, ...rest) => {
    const found = await findInstance(session, name, flags.tenant)
    const { connectWithValkeyCli } = await import('./instance-connect.ts')
    await connectWithValkeyCli(session, found, {
      program: flags.valkeyCli,
      args: rest,
      preset: flags.preset,
      ttlS: flags.ttl,
    })
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
  connection,
  url,
  connect,
  session,
})
