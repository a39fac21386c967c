import { presetNames } from '../domain/acl/presets.ts'
import { path } from './api-client.ts'
import {
  apiCommand,
  args,
  argument,
  group,
  type ListFlags,
  limitFlag,
  optionalArgument,
  switchFlag,
  type TenantFlags,
  tenantFlag,
  textFlag,
  textsFlag,
  type WaitFlags,
  waitFlags,
} from './command.ts'
import { usageError } from './exit-code.ts'
import { withNext } from './next-step.ts'
import { finish } from './operation-report.ts'
import { type PasswordFlags, readPassword } from './password.ts'
import { findInstance, findUser, isUserId, ofTenant } from './resolve.ts'
import type { Session } from './session.ts'
import type { EffectiveView, UserView } from './views.ts'

const instance = argument('INSTANCE', 'Name or id')
const user = args(
  argument('INSTANCE|USER_ID', "The user's instance (name or id), or the user's own id"),
  optionalArgument('USERNAME', 'Where an instance came first'),
)

type Rights = { privileges?: string[]; keyPattern?: string; channelPattern?: string }
const rightsFlags = {
  privileges: textsFlag(
    'RULE',
    `A preset (${presetNames.join(', ')}) or an ACL rule such as +@read or --privileges=-del; several times for several, in order`,
  ),
  keyPattern: textFlag('PATTERN', "The keys it may touch, for example '~myapp:*' (default: all, ~*)"),
  channelPattern: textFlag('PATTERN', "The channels it may use, for example '&news:*' (default: none)"),
}
const passwordFlags = {
  passwordStdin: switchFlag('Read the password from standard input'),
  passwordPrompt: switchFlag('Ask for the password, without echo'),
}
type Change = TenantFlags & WaitFlags & Rights & PasswordFlags

const reread = (session: Session, id: string) => () => session.client.get<UserView>(path`/valkey-users/${id}`)

const create = apiCommand<Change, [string, string]>({
  brief: 'Create a user of an instance',
  description:
    'Its password is generated and shown once, unless you give one with --password-stdin or --password-prompt.\n' +
    "For example: valkeep user create myapp worker --privileges queue --key-pattern '~jobs:*'",
  positional: args(instance, argument('USERNAME', 'a-z, 0-9, _ and -')),
  flags: { ...rightsFlags, ...passwordFlags, ...waitFlags, tenant: tenantFlag },
  run: async (session, flags, instanceName, username) => {
    const of = await findInstance(session, instanceName, flags.tenant)
    const body = {
      username,
      password: await readPassword(session.context, flags),
      privileges: flags.privileges?.length ? flags.privileges : ['read-write'],
      key_pattern: flags.keyPattern,
      channel_pattern: flags.channelPattern,
    }
    const sent = session.client.send<UserView>('POST', path`/valkey-instances/${of.id}/users`, body)
    const users = `valkeep user list ${instanceName}${ofTenant(flags.tenant)}`
    const answer = await withNext(sent, {
      'name-taken': `Choose another name; what there is: ${users}`,
      'limit-reached': `What there is: ${users}`,
    })
    await finish(session, flags, {
      answer,
      title: `Creating user ${username} of ${of.name}`,
      reread: reread(session, answer.body.id),
    })
  },
})

const update = apiCommand<Change & { withoutChannels?: boolean }, [string, string?]>({
  brief: "Change a user's password or rights",
  description: 'Only what is given changes. Its open connections stay, with the new rights at once.',
  positional: user,
  flags: {
    ...rightsFlags,
    withoutChannels: switchFlag('Take the channel pattern away'),
    ...passwordFlags,
    ...waitFlags,
    tenant: tenantFlag,
  },
  run: async (session, flags, first, username) => {
    if (flags.withoutChannels && flags.channelPattern !== undefined)
      throw usageError('Give --channel-pattern or --without-channels, not both')
    const password = await readPassword(session.context, flags)
    const body = {
      password,
      privileges: flags.privileges?.length ? flags.privileges : undefined,
      key_pattern: flags.keyPattern,
      channel_pattern: flags.withoutChannels ? null : flags.channelPattern,
    }
    if (Object.values(body).every((value) => value === undefined))
      throw usageError(
        'Nothing to change',
        'Add --privileges, --key-pattern, --channel-pattern, --without-channels, --password-stdin or --password-prompt',
      )
    const { id, username: name } = await findUser(session, first, username, flags.tenant)
    const answer = await session.client.send<UserView>('PUT', path`/valkey-users/${id}`, body)
    await finish(session, flags, { answer, title: `Updating user ${name}`, reread: reread(session, id) })
  },
})

export const userCommands = group('Users of an instance (ACL)', {
  list: apiCommand<TenantFlags & ListFlags, [string]>({
    brief: 'List the users of an instance',
    positional: args(instance),
    flags: { limit: limitFlag, tenant: tenantFlag },
    run: async (session, flags, instanceName) => {
      const { id } = await findInstance(session, instanceName, flags.tenant)
      const { items, more } = await session.client.list<UserView>(path`/valkey-instances/${id}/users`, {}, flags.limit)
      const columns = [
        { title: 'USERNAME', value: (row: UserView) => row.username },
        { title: 'STATUS', value: (row: UserView) => row.status },
        { title: 'KEYS', value: (row: UserView) => row.key_pattern },
        { title: 'CHANNELS', value: (row: UserView) => row.channel_pattern },
        { title: 'PRIVILEGES', value: (row: UserView) => row.privileges },
        { title: 'ID', value: (row: UserView) => row.id },
      ]
      session.showTable(items, columns, { more })
    },
  }),
  get: apiCommand<TenantFlags, [string, string?]>({
    brief: 'Show a user',
    positional: user,
    flags: { tenant: tenantFlag },
    run: async (session, flags, first, username) =>
      session.showDetails(await findUser(session, first, username, flags.tenant)),
  }),
  create,
  update,
  delete: apiCommand<TenantFlags & WaitFlags, [string, string?]>({
    brief: 'Delete a user: its connections end',
    description: 'With the id of a session it ends that session.',
    positional: user,
    flags: { ...waitFlags, tenant: tenantFlag },
    run: async (session, flags, first, username) => {
      const { id, username: name } = await findUser(session, first, username, flags.tenant)
      const answer = await session.client.send<UserView>('DELETE', path`/valkey-users/${id}`)
      await finish(session, flags, { answer, title: `Deleting user ${name}`, reread: null })
    },
  }),
  retry: apiCommand<TenantFlags & WaitFlags, [string, string?]>({
    brief: 'Try a failed change of a user again',
    positional: user,
    flags: { ...waitFlags, tenant: tenantFlag },
    run: async (session, flags, first, username) => {
      const { id, username: name } = await findUser(session, first, username, flags.tenant)
      const sent = session.client.send<UserView>('POST', path`/valkey-users/${id}/retry`)
      const answer = await withNext(sent, { 'wrong-state': `Look at its status: valkeep user get ${id}` })
      const after = () => reread(session, id)().catch(() => ({ id }))
      await finish(session, flags, { answer, title: `Retrying user ${name}`, reread: after })
    },
  }),
  effective: apiCommand<TenantFlags, [string, ...string[]]>({
    brief: 'Explain what a user can do, as its server proves it',
    description: 'For example: valkeep user effective myapp worker CLIENT SETNAME',
    usage: ['[FLAGS] <INSTANCE> <USERNAME> [COMMAND]', '[FLAGS] <USER_ID> [COMMAND]'],
    positional: {
      kind: 'array',
      parameter: argument('ARGUMENT', 'The user, as INSTANCE USERNAME or by its id; then a command to ask about'),
      minimum: 1,
    },
    flags: { tenant: tenantFlag },
    run: async (session, flags, first, ...rest) => {
      const [username, words] = isUserId(first) ? [undefined, rest] : [rest[0], rest.slice(1)]
      const { id } = await findUser(session, first, username, flags.tenant)
      const effective = await session.client.get<EffectiveView>(path`/valkey-users/${id}/effective`)
      const { effectiveText, verdictsOn, verdictsText } = await import('./user-effective.ts')
      if (words.length === 0)
        return session.show(effective, () => effectiveText(effective, session.context.stdout.columns ?? 100))
      const verdicts = verdictsOn(effective, words)
      session.show({ items: verdicts, has_more: false }, () => verdictsText(verdicts))
    },
  }),
})
