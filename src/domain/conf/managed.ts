import type { ServerLayout } from '../server-plan.ts'
import type { Directive } from './directive.ts'
import { overlay } from './render.ts'
import { fallbackDirectives, type InstanceSettings, settingsToDirectives } from './settings.ts'

/** Descriptors that valkey keeps for itself (CONFIG_MIN_RESERVED_FDS): it lowers maxclients below the limit by this. */
const RESERVED_FILES = 32

export type ManagedServer = {
  layout: ServerLayout
  /** An address of the node, and a port unique on it. A host name that does not resolve would abort the start. */
  listen: { host: string; port: number }
  maxMemoryMb: number
  settings: InstanceSettings
  /** The engine's, as INFO says it. */
  version: string
  /** Hard limit of open files of the process. Left out: enough for any number of clients that may be set. */
  openFiles?: number
}

/**
 * The whole configuration of a server that the platform runs: fallbacks < the owner's settings < what is not theirs to
 * choose. TLS only, ACL only from the aclfile (never `requirepass`: with an aclfile that lacks `default` it leaves the
 * server open), in the foreground, AOF and snapshots. Every setting is written out, so that a file says all there is
 * and a value changed by hand shows.
 */
export function managedConf(server: ManagedServer): Directive[] {
  const { layout, settings, version } = server
  const chosen = overlay(fallbackDirectives(version), settingsToDirectives(settings, version)).map((directive) =>
    directive.name === 'maxclients' ? fitOpenFiles(directive, server.openFiles) : directive,
  )
  const memory = directives({ maxmemory: String(server.maxMemoryMb * 1_048_576) })
  return overlay(chosen, memory, network(server), security(layout), persistence(layout), replication())
}

function fitOpenFiles(maxclients: Directive, openFiles = Number.POSITIVE_INFINITY): Directive {
  const wanted = Number(maxclients.args[0])
  return { name: 'maxclients', args: [String(Math.max(1, Math.min(wanted, openFiles - RESERVED_FILES)))] }
}

function network({ layout, listen }: ManagedServer): Directive[] {
  return directives({
    bind: listen.host,
    port: '0',
    'tls-port': String(listen.port),
    'protected-mode': 'yes',
    'tls-cert-file': layout.cert,
    'tls-key-file': layout.key,
    'tls-ca-cert-file': layout.ca,
    'tls-auth-clients': 'no',
    'tls-protocols': 'TLSv1.2 TLSv1.3',
    unixsocket: layout.socket,
    unixsocketperm: '700',
    daemonize: 'no',
    supervised: 'no',
    // Empty is stdout, which the runtime leads into the server's log.
    logfile: '',
    loglevel: 'notice',
  })
}

function security(layout: ServerLayout): Directive[] {
  return directives({
    aclfile: layout.acl,
    'acl-pubsub-default': 'resetchannels',
    'enable-debug-command': 'no',
    'enable-module-command': 'no',
    'enable-protected-configs': 'no',
    'hide-user-data-from-log': 'yes',
  })
}

function persistence(layout: ServerLayout): Directive[] {
  return directives({
    dir: layout.dataDir,
    dbfilename: 'dump.rdb',
    appendonly: 'yes',
    appendfilename: 'appendonly.aof',
    appenddirname: 'appendonlydir',
    'aof-use-rdb-preamble': 'yes',
    'aof-load-truncated': 'yes',
    'no-appendfsync-on-rewrite': 'no',
    'stop-writes-on-bgsave-error': 'yes',
    rdbcompression: 'yes',
    rdbchecksum: 'yes',
    'rdb-del-sync-files': 'no',
    'shutdown-timeout': '10',
  })
}

/** A first sync without a detour over the disk and without valkey's 5 s of waiting for further replicas. */
function replication(): Directive[] {
  return directives({
    'tls-replication': 'yes',
    'repl-diskless-sync': 'yes',
    'repl-diskless-sync-delay': '0',
    'repl-diskless-load': 'on-empty-db',
    'dual-channel-replication-enabled': 'yes',
    'replica-read-only': 'yes',
    'replica-serve-stale-data': 'yes',
  })
}

function directives(values: Record<string, string>): Directive[] {
  return Object.entries(values).map(([name, value]) => ({ name, args: [value] }))
}
