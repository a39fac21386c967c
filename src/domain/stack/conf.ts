/** The valkey.conf of a stack: its directives in sections, each with the reason that a reader would ask for. */
import type { Directive } from '../conf/directive.ts'
import type { ConfSection } from '../conf/render.ts'
import { certificateFiles, inContainer } from './places.ts'
import type { StackSpec } from './spec.ts'

/** No command of these is anybody's: an empty name takes it away from every user, the ACL aside. */
export const DISABLED_COMMANDS = [
  'FLUSHALL',
  'FLUSHDB',
  'DEBUG',
  'CONFIG',
  'SHUTDOWN',
  'SLAVEOF',
  'REPLICAOF',
  'MODULE',
  'BGSAVE',
  'BGREWRITEAOF',
  'KEYS',
] as const

/**
 * I/O threads that fit a CPU limit. Below 4 CPUs they only take turns with the main thread: 4 of them on 1.0 CPU cost
 * nine tenths of the throughput (facts §1). From there on a quarter stays free for saving and the kernel.
 */
export function fittingIoThreads(cpus: number): number {
  return cpus < 4 ? 1 : Math.min(8, Math.floor(cpus * 0.75))
}

/** How many the server of a stack runs. */
export function ioThreads({ server, service }: StackSpec): number {
  return server.io_threads === 'auto' ? fittingIoThreads(service.cpus) : server.io_threads
}

/** Threads that a CPU limit cannot carry. */
export function tooManyIoThreads(threads: number, cpus: number): boolean {
  return threads > Math.max(1, Math.floor(cpus))
}

const one = (name: string, ...args: string[]): Directive => ({ name, args })
const tls = (file: string) => `${inContainer.tlsDir}/${file}`

const network = ({ service }: StackSpec): ConfSection => ({
  comment: [
    `Only the address of the name ${service.name}, which the compose file gives to this container, and loopback for the health check.`,
  ],
  directives: [one('bind', service.name, '127.0.0.1'), one('protected-mode', 'yes')],
})

const encryption = (): ConfSection => ({
  comment: ['TLS only, and only for clients with a certificate of our CA.'],
  directives: [
    one('port', '0'),
    one('tls-port', '6379'),
    one('tls-cert-file', tls(certificateFiles.serverCert)),
    one('tls-key-file', tls(certificateFiles.serverKey)),
    one('tls-ca-cert-file', tls(certificateFiles.caCert)),
    one('tls-auth-clients', 'yes'),
    one('tls-protocols', 'TLSv1.2 TLSv1.3'),
  ],
})

const access = (): ConfSection => ({
  comment: ['Users, by SHA-256 of their passwords. The file is read-only: a change is a restart.'],
  directives: [one('aclfile', inContainer.acl), one('acl-pubsub-default', 'resetchannels')],
})

const disabled = (): ConfSection => ({
  comment: ['Nobody has these, whatever the ACL says.'],
  directives: DISABLED_COMMANDS.map((name) => one('rename-command', name, '')),
})

const memory = ({ server }: StackSpec): ConfSection => ({
  comment: [
    'volatile-* evicts only keys that have a TTL; a save may need as much again, so the container has room above this.',
  ],
  directives: [one('maxmemory', `${server.maxmemory_mb}mb`), one('maxmemory-policy', server.maxmemory_policy)],
})

const persistence = ({ server }: StackSpec): ConfSection => ({
  comment: [
    'Another appendfilename or dbfilename later means a start with no data: keep both.',
    'everysec: a power cut may cost the last second; a crash of the server alone costs nothing.',
  ],
  directives: [
    one('dir', inContainer.data),
    one('appendonly', 'yes'),
    one('appendfsync', 'everysec'),
    one('appendfilename', server.aof_file),
    one('dbfilename', server.rdb_file),
    one('save', '900', '1'),
    one('save', '300', '10'),
    one('save', '60', '10000'),
  ],
})

const logging = (): ConfSection => ({
  comment: ['To the container’s output, where Docker rotates it.'],
  directives: [one('loglevel', 'notice'), one('logfile', '')],
})

const limits = ({ server }: StackSpec): ConfSection => ({
  comment: [
    'An idle connection is closed after `timeout` seconds: clients that hold one longer must PING, or set it to 0.',
    'What all connections together may hold is a quarter of maxmemory: one that sends or asks for more is closed, before',
    'the kernel ends the server for it.',
  ],
  directives: [
    one('maxclients', String(server.maxclients)),
    one('timeout', String(server.timeout_s)),
    one('tcp-keepalive', String(server.tcp_keepalive_s)),
    one('client-output-buffer-limit', 'normal', '64mb', '32mb', '60'),
    one('client-output-buffer-limit', 'replica', '64mb', '32mb', '60'),
    one('client-output-buffer-limit', 'pubsub', '32mb', '8mb', '60'),
    one('maxmemory-clients', '25%'),
  ],
})

function threads(spec: StackSpec): ConfSection {
  const count = ioThreads(spec)
  return {
    comment: [
      'As many I/O threads as the CPU limit carries. Measured on 1.0 CPU: 43,000 SET/s with 1 thread, 3,600 SET/s with 4.',
    ],
    directives: [one('io-threads', String(count)), ...(count > 1 ? [one('io-threads-do-reads', 'yes')] : [])],
  }
}

/** The whole file, in the order a person reads it. */
export function stackConfSections(spec: StackSpec): ConfSection[] {
  const parts = [encryption, network, access, disabled, memory, persistence, logging, limits, threads]
  return parts.map((part) => part(spec))
}

/** Its directives alone. */
export const stackConf = (spec: StackSpec): Directive[] =>
  stackConfSections(spec).flatMap(({ directives }) => directives)
