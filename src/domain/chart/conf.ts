/**
 * The valkey.conf of the chart charts/valkey-cluster, as its template `valkey.conf` renders it, beside the profiles of managed servers and of stacks.
 * What differs between pods (who it follows, what it is called, the system user's password) its start.sh adds.
 */
import type { Directive } from '../conf/directive.ts'
import { overlay } from '../conf/render.ts'

/** A directive's value as YAML gives it: `true` is `yes`, a list is a line each. */
type ConfigValue = string | number | boolean | readonly string[]

/** What valkey.conf takes of the chart's values, checked by its values.schema.json. */
export type ChartValues = {
  architecture: 'cluster' | 'replication' | 'standalone'
  cluster: { nodeTimeoutMs: number; allowPartialCoverage: boolean }
  minReplicasToWrite: number
  minReplicasMaxLag: number
  tls: {
    enabled: boolean
    port: number
    clusterEnabled: boolean
    authClients: 'yes' | 'no' | 'optional'
    allowPlaintext: boolean
  }
  valkey: {
    port: number
    maxMemory: string | number
    maxMemoryPolicy: string
    logLevel: string
    config: Readonly<Record<string, ConfigValue>>
  }
  persistence: { enabled: boolean; appendOnly: boolean; appendFsync: string; save: string }
  resources: { limits?: { memory?: string | number } }
}

const yesOrNo = (yes: boolean) => (yes ? 'yes' : 'no')
const one = (name: string, ...args: (string | number)[]): Directive => ({ name, args: args.map(String) })

const QUANTITY_UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 1000n,
  M: 1_000_000n,
  G: 1_000_000_000n,
  Ki: 1024n,
  Mi: 1_048_576n,
  Gi: 1_073_741_824n,
  Ti: 1_099_511_627_776n,
}

/** A whole Kubernetes quantity of memory, `512Mi`, in bytes. */
function quantityBytes(quantity: string): bigint {
  const [, number = '', unit = ''] = /^(\d+)(.*)$/.exec(quantity) ?? []
  const factor = QUANTITY_UNITS[unit]
  if (number === '' || factor === undefined) throw new TypeError('not a whole quantity of memory')
  return BigInt(number) * factor
}

/**
 * As given, with a unit of Kubernetes in the server's words; else three quarters of the memory limit: a save may need as much again as was written
 * meanwhile.
 */
function maxMemory({ valkey, resources }: ChartValues): string {
  const given = String(valkey.maxMemory)
  if (given !== '') return given.replace(/([KMG])i$/, '$1b')
  const limit = resources.limits?.memory
  return limit === undefined ? '0' : String((quantityBytes(String(limit)) * 3n) / 4n)
}

function network({ tls, valkey }: ChartValues): Directive[] {
  return [
    one('bind', '*', '-::*'),
    // Pods are reached by others; the ACL and the network policy guard them.
    one('protected-mode', 'no'),
    one('port', !tls.enabled || tls.allowPlaintext ? valkey.port : 0),
    one('unixsocket', '/run/valkey/valkey.sock'),
    one('unixsocketperm', '700'),
    one('daemonize', 'no'),
    one('logfile', ''),
    one('loglevel', valkey.logLevel),
  ]
}

function encryption({ architecture, tls }: ChartValues): Directive[] {
  if (!tls.enabled) return []
  return [
    one('tls-port', tls.port),
    one('tls-cert-file', '/etc/valkey/tls/tls.crt'),
    one('tls-key-file', '/etc/valkey/tls/tls.key'),
    one('tls-ca-cert-file', '/etc/valkey/tls/ca.crt'),
    one('tls-auth-clients', tls.authClients),
    one('tls-protocols', 'TLSv1.2 TLSv1.3'),
    one('tls-replication', yesOrNo(tls.clusterEnabled)),
    ...(architecture === 'cluster' ? [one('tls-cluster', yesOrNo(tls.clusterEnabled))] : []),
  ]
}

const access = (): Directive[] => [
  one('aclfile', '/run/valkey/users.acl'),
  one('acl-pubsub-default', 'resetchannels'),
  one('enable-debug-command', 'no'),
  one('enable-module-command', 'no'),
  one('enable-protected-configs', 'no'),
]

function data(values: ChartValues): Directive[] {
  const { persistence, valkey } = values
  // Told to end, a server without save points keeps nothing, and clients write on after the preStop hook's save.
  const lastSave = persistence.enabled && persistence.save === '' && !persistence.appendOnly
  return [
    one('dir', '/data'),
    one('dbfilename', 'dump.rdb'),
    one('save', ...(persistence.save === '' ? [''] : persistence.save.split(' '))),
    ...(lastSave ? [one('shutdown-on-sigterm', 'save')] : []),
    one('appendonly', yesOrNo(persistence.appendOnly)),
    one('appendfsync', persistence.appendFsync),
    one('maxmemory', maxMemory(values)),
    one('maxmemory-policy', valkey.maxMemoryPolicy),
    one('shutdown-timeout', 10),
  ]
}

const replication = (values: ChartValues): Directive[] => [
  one('repl-diskless-sync', 'yes'),
  one('repl-diskless-sync-delay', 0),
  one('repl-diskless-load', 'on-empty-db'),
  one('replica-read-only', 'yes'),
  one('min-replicas-to-write', values.minReplicasToWrite),
  one('min-replicas-max-lag', values.minReplicasMaxLag),
]

function cluster({ architecture, cluster: { nodeTimeoutMs, allowPartialCoverage } }: ChartValues): Directive[] {
  if (architecture !== 'cluster') return []
  return [
    one('cluster-enabled', 'yes'),
    one('cluster-config-file', 'nodes.conf'),
    one('cluster-node-timeout', nodeTimeoutMs),
    one('cluster-require-full-coverage', yesOrNo(!allowPartialCoverage)),
    // Addresses of pods change, their names do not.
    one('cluster-preferred-endpoint-type', 'hostname'),
    one('cluster-allow-replica-migration', 'no'),
  ]
}

function further(name: string, value: ConfigValue): Directive[] {
  if (typeof value === 'boolean') return [one(name, yesOrNo(value))]
  return (Array.isArray(value) ? (value as readonly string[]) : [String(value)]).map((line) => one(name, line))
}

/** The whole valkey.conf that all pods share; what `valkey.config` says wins over what may be tuned. */
export function chartConf(values: ChartValues): Directive[] {
  const parts = [network, encryption, access, data, replication, cluster]
  const config = Object.entries(values.valkey.config).flatMap(([name, value]) => further(name, value))
  return overlay(
    parts.flatMap((part) => part(values)),
    config,
  )
}
