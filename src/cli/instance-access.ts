/** How people and programs get into an instance, and what of it may be set. */
import { buildCommand } from '@stricli/core'
import { presetNames } from '../domain/acl/presets.ts'
import { path } from './api-client.ts'
import {
  apiCommand,
  args,
  argument,
  integerFlag,
  switchFlag,
  type TenantFlags,
  tenantFlag,
  textFlag,
} from './command.ts'
import type { Context } from './context.ts'
import { usageError } from './exit-code.ts'
import { readPassword } from './password.ts'
import { findInstance, ofTenant } from './resolve.ts'
import type { ConnectionView } from './views.ts'

const instance = argument('INSTANCE', 'Name or id')

/** Fills the template; what is not known stays as a placeholder. */
export const fillUri = (template: string, username: string | undefined, password: string | undefined): string =>
  template
    .replaceAll('{username}', (whole) => (username === undefined ? whole : encodeURIComponent(username)))
    .replaceAll('{password}', (whole) => (password === undefined ? whole : encodeURIComponent(password)))

export const url = apiCommand<TenantFlags & { user?: string; passwordStdin?: boolean }, [string]>({
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

const languages = ['valkey-cli', 'node', 'python', 'go']

type ConnectionOfFlags = TenantFlags & { user?: string; snippet?: string; ca?: boolean }

export const connection = apiCommand<ConnectionOfFlags, [string]>({
  brief: 'Show how to connect: address, CA, snippets',
  description: 'Save the CA first, beside the program: valkeep instance connection myapp --ca > ca.pem',
  positional: args(instance),
  flags: {
    user: textFlag('USERNAME', 'The user to connect as (default: left to VALKEY_USERNAME)'),
    snippet: textFlag('LANGUAGE', `Print only that snippet: ${languages.join(', ')}`),
    ca: switchFlag('Print only the CA bundle (PEM): save it as ca.pem'),
    tenant: tenantFlag,
  },
  run: async (session, flags, name) => {
    const found = await findInstance(session, name, flags.tenant)
    const given = await session.client.get<ConnectionView>(path`/valkey-instances/${found.id}/connection`)
    const { snippets, ...rest } = flags.user === undefined ? given : await asUser(found.name, given, flags.user)
    if (flags.ca) return session.show({ ca_pem: rest.ca_pem }, () => rest.ca_pem)
    if (flags.snippet === undefined) {
      session.show({ ...rest, snippets }, () => `${rest.uri_template}\n\n${snippets['valkey-cli']}`)
      if (session.json) return
      const again = `valkeep instance connection ${name}${ofTenant(flags.tenant)}`
      session.note(`\nSave the CA first: ${again} --ca > ca.pem\nAs a program:      ${again} --snippet node|python|go`)
      return
    }
    const snippet = Object.entries(snippets).find(([language]) => language === flags.snippet)?.[1]
    if (snippet === undefined)
      throw usageError(`There is no snippet for ${flags.snippet}`, `One of: ${Object.keys(snippets).join(', ')}`)
    session.show({ snippet }, () => snippet)
  },
})

/** The same, with the user's name in its place. */
async function asUser(instanceName: string, given: ConnectionView, username: string): Promise<ConnectionView> {
  const { connectionInfo } = await import('../domain/connection.ts')
  const { host, port, server_name, ca_pem } = given
  return connectionInfo({ instanceName, host, port, serverName: server_name, caPem: ca_pem, username })
}

export const settingsCommand = buildCommand<{ json?: boolean }, string[], Context>({
  async func(this: Context, flags, ...words) {
    const { items, text } = (await import('./instance-settings.ts')).settingRows(words)
    if (items.length === 0)
      throw usageError(`No setting has ${words.join(' or ')} in its name`, 'valkeep instance settings')
    this.stdout.write(flags.json ? `${JSON.stringify({ items, has_more: false }, null, 2)}\n` : text)
  },
  parameters: {
    flags: { json: switchFlag('Print JSON') },
    positional: { kind: 'array', parameter: argument('WORD', 'Only those with this in their name') },
  },
  docs: {
    brief: 'List what --set may change',
    fullDescription:
      'List what --set may change: values, default, and whether it changes live or by a restart.\n\n' +
      'Set one with: valkeep instance update myapp --set KEY=VALUE',
  },
})

type SessionFlags = TenantFlags & { preset?: string; ttl?: number }
const sessionFlags = {
  preset: textFlag('PRESET', `What the session may do: ${presetNames.join(', ')} (default: read-only)`),
  ttl: integerFlag('SECONDS', 'How long it lasts at most (default: 3600)'),
  tenant: tenantFlag,
}

export const session = apiCommand<SessionFlags, [string]>({
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

export const connect = apiCommand<SessionFlags & { valkeyCli: string }, [string, ...string[]]>({
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
