/**
 * Every setting of the platform as data: the flags of `valkeep up`, the environment, the config file, the checks and the
 * reference are made of this one table. Imports no zod: the CLI reads it at every start, the schemas are built when asked for.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { z as Zod, ZodType } from 'zod'

type Z = typeof Zod

/** What the machine says of itself, for defaults. `home` is known from the first setting on. */
export type Machine = {
  /** Absolute, the user's home directory. */
  homeDir: string
  cwd: string
  uid: number
  /** Memory that this process may use in MiB: a container's limit where there is one. */
  memoryMb: number
  env: Record<string, string | undefined>
}

type Base<S extends ZodType> = {
  flag: string
  env: string
  /** Key in the config file; null: it says where that file is. */
  key: string | null
  /** How text from a flag or the environment is read; a `path` is taken from where it is written (config file: beside it). */
  kind: 'text' | 'path' | 'int' | 'number' | 'boolean'
  /** A word that is no path though the kind is `path`. */
  word?: string
  placeholder?: string
  schema: (z: Z) => S
  /** In words, for the reference; `none`: null. */
  defaultText: string
  defaultValue: (machine: Machine, home: string) => Zod.infer<S>
  description: string
  /** For tests: not in the help, not in the reference. */
  hidden?: boolean
}

export type Setting = Base<ZodType>

const define = <S extends ZodType>(setting: Base<S>) => setting

const int = (min: number, max: number) => (z: Z) => z.int().min(min).max(max)
const optionalPath = (z: Z) => z.string().min(1).nullable()
const port = int(1, 65_535)

/** Data directory by the XDG convention. */
export const defaultHome = (env: Machine['env'], homeDir: string): string =>
  join(env['XDG_DATA_HOME']?.startsWith('/') ? env['XDG_DATA_HOME'] : join(homeDir, '.local/share'), 'valkeep')

/**
 * Short, and a function of the user and the data directory alone: servers outlive the platform, so the next start has to
 * find their sockets. XDG_RUNTIME_DIR would not do: a logout empties it under running servers, and cron or su do not set it.
 */
const defaultRuntimeDir = (machine: Machine, home: string): string =>
  `/tmp/valkeep-${machine.uid}/${createHash('sha256').update(home).digest('hex').slice(0, 8)}`

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/** Where the platform keeps its things, and where it listens. */
const placeSettings = {
  home: define({
    flag: 'home',
    env: 'VALKEEP_HOME',
    key: null,
    kind: 'path',
    placeholder: 'DIR',
    schema: (z) => z.string().min(1),
    defaultText: '`$XDG_DATA_HOME/valkeep`, else `~/.local/share/valkeep`',
    defaultValue: (machine) => defaultHome(machine.env, machine.homeDir),
    description: 'Data directory: database, keys, and the data of every instance',
  }),
  config: define({
    flag: 'config',
    env: 'VALKEEP_CONFIG',
    key: null,
    kind: 'path',
    placeholder: 'FILE',
    schema: optionalPath,
    defaultText: '`config.yaml` in the data directory, where there is one',
    defaultValue: () => null,
    description: 'Config file (YAML)',
  }),
  host: define({
    flag: 'host',
    env: 'VALKEEP_HOST',
    key: 'host',
    kind: 'text',
    placeholder: 'ADDRESS',
    schema: (z) =>
      z.union([z.ipv4(), z.ipv6(), z.literal('localhost')], { error: 'must be an IP address or localhost' }),
    defaultText: '`127.0.0.1`',
    defaultValue: () => '127.0.0.1',
    description: 'Address that the API listens on; loopback unless there is a certificate',
  }),
  port: define({
    flag: 'port',
    env: 'VALKEEP_PORT',
    key: 'port',
    kind: 'int',
    placeholder: 'PORT',
    schema: port,
    defaultText: '`7070`',
    defaultValue: () => 7070,
    description: 'Port that the API listens on',
  }),
  tlsCertFile: define({
    flag: 'tls-cert-file',
    env: 'VALKEEP_TLS_CERT_FILE',
    key: 'tls_cert_file',
    kind: 'path',
    placeholder: 'FILE',
    schema: optionalPath,
    defaultText: 'none',
    defaultValue: () => null,
    description: 'Certificate chain of the API (PEM): the API is then served over https',
  }),
  tlsKeyFile: define({
    flag: 'tls-key-file',
    env: 'VALKEEP_TLS_KEY_FILE',
    key: 'tls_key_file',
    kind: 'path',
    placeholder: 'FILE',
    schema: optionalPath,
    defaultText: 'none',
    defaultValue: () => null,
    description: 'Private key of that certificate (PEM)',
  }),
  kekFile: define({
    flag: 'kek-file',
    env: 'VALKEEP_KEK_FILE',
    key: 'kek_file',
    kind: 'path',
    placeholder: 'FILE',
    schema: (z) => z.string().min(1),
    defaultText: '`vault.key` in the data directory',
    defaultValue: (_, home) => join(home, 'vault.key'),
    description: 'Key-encryption key of every sealed secret (made at the first start, 0600); keep a copy elsewhere',
  }),
  runtimeDir: define({
    flag: 'runtime-dir',
    env: 'VALKEEP_RUNTIME_DIR',
    key: 'runtime_dir',
    kind: 'path',
    placeholder: 'DIR',
    // `/srv_` + 32 hex digits + `.sock` follow; Valkey refuses a socket path of 108 bytes or more.
    schema: (z) =>
      z
        .string()
        .refine((dir) => Buffer.byteLength(dir) <= 65, { error: 'must be at most 65 bytes long: sockets lie in it' }),
    defaultText: '`/tmp/valkeep-UID/HASH`, a function of the user and the data directory',
    defaultValue: defaultRuntimeDir,
    description: "Directory of the servers' unix sockets (0700); it must not be emptied while servers run",
  }),
  logLevel: define({
    flag: 'log-level',
    env: 'VALKEEP_LOG_LEVEL',
    key: 'log_level',
    kind: 'text',
    placeholder: 'LEVEL',
    schema: (z) => z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }),
    defaultText: '`info`',
    defaultValue: () => 'info' as const,
    description: `Least level that is logged: ${logLevels.join(', ')}`,
  }),
  logFile: define({
    flag: 'log-file',
    env: 'VALKEEP_LOG_FILE',
    key: 'log_file',
    kind: 'path',
    word: 'stderr',
    placeholder: 'FILE',
    schema: (z) => z.string().min(1),
    defaultText: '`platform.log` in the data directory',
    defaultValue: (_, home) => join(home, 'platform.log'),
    description: 'Where the log goes (JSON lines): a file, or `stderr`',
  }),
}

/** How instances are placed and kept. */
const engineSettings = {
  valkeyServer: define({
    flag: 'valkey-server',
    env: 'VALKEY_SERVER',
    key: 'valkey_server',
    kind: 'path',
    placeholder: 'FILE',
    schema: optionalPath,
    defaultText: '`valkey-server` on PATH',
    defaultValue: () => null,
    description: 'The valkey-server program that new instances get (8.0 or newer)',
  }),
  nodeAddress: define({
    flag: 'node-address',
    env: 'VALKEEP_NODE_ADDRESS',
    key: 'node_address',
    kind: 'text',
    placeholder: 'ADDRESS',
    schema: (z) =>
      z
        .union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' })
        .refine((ip) => !/^[0:.]+$/.test(ip), { error: 'must be an address that clients can connect to' }),
    defaultText: '`127.0.0.1`',
    defaultValue: () => '127.0.0.1',
    description: 'Address that instances listen on (TLS only) and clients connect to',
  }),
  portMin: define({
    flag: 'port-min',
    env: 'VALKEEP_PORT_MIN',
    key: 'port_min',
    kind: 'int',
    placeholder: 'PORT',
    schema: int(1024, 65_535),
    defaultText: '`21000`',
    defaultValue: () => 21_000,
    description: 'First port that instances get',
  }),
  portMax: define({
    flag: 'port-max',
    env: 'VALKEEP_PORT_MAX',
    key: 'port_max',
    kind: 'int',
    placeholder: 'PORT',
    schema: int(1024, 65_535),
    defaultText: '`28999`',
    defaultValue: () => 28_999,
    description: "Last port that instances get; keep it below the system's ephemeral ports",
  }),
  portCooldownS: define({
    flag: 'port-cooldown-s',
    env: 'VALKEEP_PORT_COOLDOWN_S',
    key: 'port_cooldown_s',
    kind: 'int',
    placeholder: 'SECONDS',
    schema: int(0, 31_536_000),
    defaultText: '`3600`',
    defaultValue: () => 3600,
    description: "How long a deleted instance's port is not handed out again, in seconds",
  }),
  capacityMb: define({
    flag: 'capacity-mb',
    env: 'VALKEEP_CAPACITY_MB',
    key: 'capacity_mb',
    kind: 'int',
    placeholder: 'MIB',
    schema: int(1, 1_000_000_000),
    defaultText: "80 % of the machine's memory",
    defaultValue: (machine) => Math.max(1, Math.floor(machine.memoryMb * 0.8)),
    description: 'Memory of this node that instances may reserve, in MiB',
  }),
  overcommit: define({
    flag: 'overcommit',
    env: 'VALKEEP_OVERCOMMIT',
    key: 'overcommit',
    kind: 'number',
    placeholder: 'FACTOR',
    schema: (z) => z.number().min(0.1).max(100),
    defaultText: '`1.0`',
    defaultValue: () => 1,
    description: 'How often the capacity may be promised: 1.5 lets instances reserve one and a half times of it',
  }),
  certificateDays: define({
    flag: 'certificate-days',
    env: 'VALKEEP_CERTIFICATE_DAYS',
    key: 'certificate_days',
    kind: 'int',
    placeholder: 'DAYS',
    schema: int(1, 825),
    defaultText: '`90`',
    defaultValue: () => 90,
    description: "How long an instance's certificate is valid, in days; it is renewed and reloaded well before",
  }),
  first: define({
    flag: 'first',
    env: 'VALKEEP_FIRST',
    key: 'first',
    kind: 'boolean',
    schema: (z) => z.boolean(),
    defaultText: '`true`',
    defaultValue: () => true,
    description: 'Create an instance `first` with a user at the very first start',
  }),
}

/** How hard the platform works. */
const driverSettings = {
  sweepIntervalS: define({
    flag: 'sweep-interval-s',
    env: 'VALKEEP_SWEEP_INTERVAL_S',
    key: 'sweep_interval_s',
    kind: 'number',
    placeholder: 'SECONDS',
    schema: (z) => z.number().min(0.1).max(86_400),
    defaultText: '`30`',
    defaultValue: () => 30,
    description: 'How often every instance is observed and, where it drifted, repaired, in seconds',
  }),
  concurrency: define({
    flag: 'concurrency',
    env: 'VALKEEP_CONCURRENCY',
    key: 'concurrency',
    kind: 'int',
    placeholder: 'N',
    schema: int(1, 1024),
    defaultText: '`16`',
    defaultValue: () => 16,
    description: 'How many instances are worked on at the same time',
  }),
  attempts: define({
    flag: 'attempts',
    env: 'VALKEEP_ATTEMPTS',
    key: 'attempts',
    kind: 'int',
    placeholder: 'N',
    schema: int(1, 100),
    defaultText: '`3`',
    defaultValue: () => 3,
    description: 'How often an operation is tried before it is failed',
  }),
  attemptTimeoutMs: define({
    flag: 'attempt-timeout-ms',
    env: 'VALKEEP_ATTEMPT_TIMEOUT_MS',
    key: 'attempt_timeout_ms',
    kind: 'int',
    placeholder: 'MS',
    schema: int(100, 3_600_000),
    defaultText: '`30000`',
    defaultValue: () => 30_000,
    description: 'How long one attempt may take, in milliseconds',
  }),
  rateLimitPerS: define({
    flag: 'rate-limit-per-s',
    env: 'VALKEEP_RATE_LIMIT_PER_S',
    key: 'rate_limit_per_s',
    kind: 'int',
    placeholder: 'N',
    schema: int(1, 1_000_000),
    defaultText: '`1000`',
    defaultValue: () => 1000,
    description: 'Requests that one API key may make in a second',
  }),
  failpoint: define({
    flag: 'failpoint',
    env: 'VALKEEP_FAILPOINT',
    key: 'failpoint',
    kind: 'text',
    placeholder: 'NAME',
    schema: (z) => z.string().min(1).nullable(),
    defaultText: 'none',
    defaultValue: () => null,
    description: 'Where the platform kills itself, for tests of recovery',
    hidden: true,
  }),
}

/** In this order: `home` first, the others' defaults lie in it. */
export const settingTable = { ...placeSettings, ...engineSettings, ...driverSettings }

export type SettingName = keyof typeof settingTable

/**
 * The platform's settings, checked. Paths are absolute; null: not given. `logFile` is a path or `stderr`; `config` is the
 * file that was read, null where there is none.
 */
export type Settings = { [K in SettingName]: ReturnType<(typeof settingTable)[K]['defaultValue']> }
