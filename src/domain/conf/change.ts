import type { Change } from './setting.ts'
import { settings } from './settings.ts'

/** What CONFIG SET refuses, as "immutable" or "protected" (the latter because enable-protected-configs is off). */
const fixedAtStart = [
  'unixsocket',
  'unixsocketperm',
  'daemonize',
  'supervised',
  'logfile',
  'aclfile',
  'enable-debug-command',
  'enable-module-command',
  'enable-protected-configs',
  'dir',
  'dbfilename',
  'appendfilename',
  'appenddirname',
  'rdbchecksum',
]

const changedLive = [
  'bind',
  'port',
  'tls-port',
  'protected-mode',
  'tls-cert-file',
  'tls-key-file',
  'tls-ca-cert-file',
  'tls-auth-clients',
  'tls-protocols',
  'tls-replication',
  'loglevel',
  'acl-pubsub-default',
  'hide-user-data-from-log',
  'appendonly',
  'aof-use-rdb-preamble',
  'aof-load-truncated',
  'no-appendfsync-on-rewrite',
  'stop-writes-on-bgsave-error',
  'rdbcompression',
  'rdb-del-sync-files',
  'shutdown-timeout',
  'repl-diskless-sync',
  'repl-diskless-sync-delay',
  'repl-diskless-load',
  'dual-channel-replication-enabled',
  'replica-read-only',
  'replica-serve-stale-data',
  'maxmemory',
]

/** How each directive that the platform writes changes on a running server. */
export const liveOrRestart: ReadonlyMap<string, Change> = new Map<string, Change>([
  ...fixedAtStart.map((name) => [name, 'restart'] as const),
  ...changedLive.map((name) => [name, 'live'] as const),
  ...Object.values(settings).map((setting) => [setting.directive, setting.change] as const),
])
