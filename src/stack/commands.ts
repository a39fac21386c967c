/** `valkeep stack …`, as data. What a command does is loaded when it runs. */
import { buildCommand, type Command, type TypedCommandParameters } from '@stricli/core'
import {
  args,
  group,
  integerFlag,
  optionalArgument,
  switchFlag,
  textFlag,
  textsFlag,
  untilSignal,
} from '../cli/command.ts'
import type { Context } from '../cli/context.ts'
import type { StackPreset } from '../domain/stack/presets.ts'
import type { CheckFlags } from './check.ts'
import type { InitFlags } from './init.ts'
import type { CertsFlags } from './run-certs.ts'
import type { ComposeFlags, ConfFlags, ScriptsFlags } from './run-files.ts'
import type { SecretsFlags } from './run-secrets.ts'

type StackCommand<F extends object> = {
  brief: string
  description?: string
  flags: TypedCommandParameters<Omit<F, 'json'>, [], Context>['flags']
  positional?: [placeholder: string, brief: string]
  run: (context: Context, flags: F, given: string | undefined, signal: AbortSignal) => Promise<void>
}

function stackCommand<F extends object>({
  brief,
  description,
  flags,
  positional,
  run,
}: StackCommand<F>): Command<Context> {
  return buildCommand<Record<string, unknown>, readonly unknown[], Context>({
    func(this: Context, given, where) {
      // Stricli has parsed both by the parameters below.
      return untilSignal(this, (signal) => run(this, given as F, where as string | undefined, signal))
    },
    parameters: {
      flags: { ...flags, json: switchFlag('Print JSON') },
      positional: args(...(positional === undefined ? [] : [optionalArgument(...positional)])),
    } as never,
    docs: { brief, fullDescription: description === undefined ? brief : `${brief}\n\n${description}` },
  })
}

// By hand: the presets themselves are loaded with the command that uses them. The compiler holds the two together.
const presets = Object.keys({ default: 0, hardened: 0 } satisfies Record<StackPreset, 0>) as StackPreset[]

function parsePreset(text: string): StackPreset {
  const preset = presets.find((name) => name === text)
  if (preset === undefined) throw new SyntaxError(`not one of ${presets.join(', ')}`)
  return preset
}

const stackFlag = {
  kind: 'parsed',
  parse: String,
  default: '.',
  placeholder: 'DIR',
  brief: '<DIR> The stack: the directory of its stack.yaml',
} as const

const certificateFlags = {
  days: integerFlag('N', 'Days that certificates are valid for (default: what stack.yaml says, else 365)'),
  san: textsFlag('NAME|IP', 'A further name or address of the server; several times for several'),
  caSubject: textFlag(
    'SUBJECT',
    'Subject of the CA (default: what stack.yaml says, else /CN=Molis-Valkey-CA/O=OdraLabs)',
  ),
  serverSubject: textFlag('SUBJECT', 'Subject of the server (likewise, else /CN=valkey/O=OdraLabs)'),
  clientSubject: textFlag('SUBJECT', 'Subject of the client (likewise, else /CN=valkey-client/O=OdraLabs)'),
}
const applyFlag = switchFlag('Restart the container, wait until it is healthy, and say how long it was away')
const forceFlag = switchFlag('Overwrite what says something else')
const ioThreadsFlag = textFlag('auto|N', 'I/O threads; auto fits them to the CPU limit')
const networkExternalFlag = switchFlag('The network is there already: the file does not make it')

const init = stackCommand<InitFlags>({
  brief: 'Write a hardened Docker Compose deployment of one Valkey',
  description:
    'Writes stack.yaml, certificates, secrets, valkey.conf, scripts, the compose file and .gitignore, and says how to start it.\n' +
    'Repeated, it keeps what is there and makes what is missing.\n\nFor example: valkeep stack init molis --preset hardened',
  positional: ['DIR', 'Where (default: this directory)'],
  flags: {
    preset: {
      kind: 'parsed',
      parse: parsePreset,
      proposeCompletions: () => presets,
      optional: true,
      placeholder: presets.join('|'),
      brief: `<${presets.join('|')}> Users to begin with: hardened agents write and remove only their own blocked entries`,
    },
    prefix: textFlag('WORD', 'Prefix of every key (default: molis)'),
    perUserFiles: switchFlag('Each user gets a password file of its own, to hand out alone'),
    user: textFlag('UID:GID', "User that the service runs as (default: root's files go to 999:1000, else your own)"),
    ...certificateFlags,
    ioThreads: ioThreadsFlag,
    network: textFlag('NAME', 'The one network of the service (default: gateway-bridge)'),
    networkExternal: networkExternalFlag,
    into: textFlag('FILE', 'Add the service to this compose file instead of writing one'),
  },
  run: async (context, flags, dir) => (await import('./init.ts')).runInit(context, flags, dir),
})

const certs = stackCommand<CertsFlags>({
  brief: 'Make the CA and the certificates of server and client',
  description:
    'Files: ca.key, ca.crt, server.key, server.crt, client.key, client.crt. No key is overwritten without --renew or --force.\n\n' +
    'For example, before they end: valkeep stack certs --renew --apply',
  positional: ['DIR', "Where (default: the stack's certs directory; without stack.yaml ./certs/valkey)"],
  flags: {
    stack: stackFlag,
    ...certificateFlags,
    renew: switchFlag('New pairs for server and client; the CA stays'),
    renewCa: switchFlag('A new certificate for the CA, whose key stays: what it signed before still verifies'),
    force: switchFlag('Everything new, the CA too: clients need the new ca.crt and a new pair'),
    apply: applyFlag,
  },
  run: async (context, flags, dir, signal) => (await import('./run-certs.ts')).runCerts(context, flags, dir, signal),
})

const secrets = stackCommand<SecretsFlags>({
  brief: 'Make the passwords, the ACL file and the credentials of the users',
  description:
    'Files, all 0600: valkey_users.acl (digests alone), credentials.env.example, and the password files that stack.yaml names.\n' +
    'Passwords that are there stay; rules follow stack.yaml.\n\n' +
    'For example: valkeep stack secrets --rotate mcp-agent --apply',
  positional: ['DIR', "Where (default: the stack's secrets directory; without stack.yaml ./secrets)"],
  flags: {
    stack: stackFlag,
    rotate: textFlag('USER', 'A new password for this user'),
    keepOld: switchFlag('With --rotate: the old password stays valid beside the new one'),
    dropOld: textFlag('USER', 'End the old passwords of this user'),
    force: switchFlag('New passwords for everybody'),
    apply: applyFlag,
  },
  run: async (context, flags, dir, signal) =>
    (await import('./run-secrets.ts')).runSecrets(context, flags, dir, signal),
})

const conf = stackCommand<ConfFlags>({
  brief: 'Write valkey.conf',
  positional: ['FILE', "Where; - prints it (default: the stack's; without stack.yaml ./config/valkey.conf)"],
  flags: { stack: stackFlag, ioThreads: ioThreadsFlag, force: forceFlag, apply: applyFlag },
  run: async (context, flags, file, signal) => (await import('./run-files.ts')).runConf(context, flags, file, signal),
})

const compose = stackCommand<ComposeFlags>({
  brief: 'Write the compose file, or add the service to one',
  description: 'For example: valkeep stack compose --into ../docker-compose.yml',
  positional: ['FILE', "Where; - prints it (default: the stack's; without stack.yaml ./deploy/docker-compose.yml)"],
  flags: {
    stack: stackFlag,
    into: textFlag('FILE', 'Add service, network, volume and secrets to this file; its lines and comments stay'),
    networkExternal: networkExternalFlag,
    force: forceFlag,
  },
  run: async (context, flags, file) => (await import('./run-files.ts')).runCompose(context, flags, file),
})

const scripts = stackCommand<ScriptsFlags>({
  brief: 'Write the scripts that do the same without Node, and the health check',
  positional: ['DIR', "Where (default: the stack's; without stack.yaml ./scripts)"],
  flags: { stack: stackFlag, force: forceFlag },
  run: async (context, flags, dir) => (await import('./run-files.ts')).runScripts(context, flags, dir),
})

const check = stackCommand<CheckFlags>({
  brief: 'Check a stack: files, owners, expiry, ACL, configuration, compose file',
  description:
    'Looks at files alone; the container need not run. Ends with 1 where something must be fixed; warnings do not fail.',
  positional: ['DIR', 'The stack (default: this directory)'],
  flags: {},
  run: async (context, flags, dir) => (await import('./check.ts')).runCheck(context, flags, dir),
})

const health = stackCommand<{ json?: boolean }>({
  brief: 'Ask a running Valkey whether it is well, as its health check does',
  description:
    'Settings are environment variables, those of valkey-health.sh: VALKEY_HOST, VALKEY_PORT, VALKEY_USER, VALKEY_PASSWORD_FILE,\n' +
    'VALKEY_TLS_CERT, VALKEY_TLS_KEY, VALKEY_TLS_CA, MEMORY_WARN_PERCENT, VALKEY_TIMEOUT. Ends with 1 where it is CRITICAL.',
  flags: {},
  run: async (context, flags) => (await import('./health.ts')).stackHealth(context, flags),
})

export const stackCommands = group('A hardened Valkey under Docker Compose', {
  init,
  certs,
  secrets,
  conf,
  compose,
  scripts,
  check,
  health,
})
