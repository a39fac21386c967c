import { z } from 'zod'
import type { Directive } from './directive.ts'
import { engineAtLeast } from './engine-version.ts'
import { choice, custom, flag, integer, mebibytes, type Setting } from './setting.ts'

const saveRule = z.strictObject({
  after_s: z.int().min(1).max(2_592_000).meta({ description: 'Seconds since the last snapshot' }),
  changes: z.int().min(1).max(1_000_000_000).meta({ description: 'Least number of changed keys' }),
})

const defaultSave = [
  { after_s: 3600, changes: 1 },
  { after_s: 300, changes: 100 },
  { after_s: 60, changes: 10_000 },
]

/** Node sizes: -1 … -5 stand for 4 … 64 KiB, positive numbers count elements. 0 is neither. */
const listNodeSize = z.union([z.int().min(-5).max(-1), z.int().min(1).max(8192)])

/** What `maxmemory-policy` may be. */
export const evictionPolicies = [
  'noeviction',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
] as const

/**
 * Everything an instance's `settings` may hold, by API key; the one list behind the schema, the reference, the rendered
 * configuration and the question "live or restart?".
 * Not in it: `activedefrag`, because an engine built with another allocator than Valkey's own copy of jemalloc (as
 * Debian's is) refuses to start with it, so that a tenant's setting could keep an instance down.
 */
export const settings = {
  maxmemory_policy: choice(
    'maxmemory-policy',
    evictionPolicies,
    'allkeys-lru',
    'What is evicted when the memory is full',
  ),
  maxmemory_samples: integer('maxmemory-samples', [1, 64], 5, { about: 'Keys compared per eviction' }),
  maxmemory_eviction_tenacity: integer('maxmemory-eviction-tenacity', [0, 100], 10, { about: 'Effort spent evicting' }),
  lfu_log_factor: integer('lfu-log-factor', [0, 1000], 10, { about: 'How slowly the LFU counter saturates' }),
  lfu_decay_time_min: integer('lfu-decay-time', [0, 10_080], 1, { about: 'Minutes until the LFU counter halves' }),
  active_expire_effort: integer('active-expire-effort', [1, 10], 1, { about: 'Effort spent removing expired keys' }),
  lazyfree_lazy_eviction: flag('lazyfree-lazy-eviction', true, 'Free evicted values in the background'),
  lazyfree_lazy_expire: flag('lazyfree-lazy-expire', true, 'Free expired values in the background'),
  lazyfree_lazy_server_del: flag('lazyfree-lazy-server-del', true, 'Free overwritten values in the background'),
  lazyfree_lazy_user_del: flag('lazyfree-lazy-user-del', true, 'DEL frees in the background, like UNLINK'),
  lazyfree_lazy_user_flush: flag('lazyfree-lazy-user-flush', true, 'FLUSHALL and FLUSHDB free in the background'),

  appendfsync: choice(
    'appendfsync',
    ['everysec', 'always'],
    'everysec',
    'When writes reach the disk: each second, or before each answer. Only always promises every acknowledged write',
  ),
  save: custom(
    'save',
    z.array(saveRule).max(8),
    defaultSave,
    (rules) => (rules.length === 0 ? [''] : rules.flatMap((rule) => [String(rule.after_s), String(rule.changes)])),
    { about: 'When snapshots are taken beside the append-only file; an empty list takes none' },
  ),
  auto_aof_rewrite_percentage: integer('auto-aof-rewrite-percentage', [10, 1000], 100, {
    about: 'Growth of the append-only file, in percent, after which it is rewritten',
  }),
  auto_aof_rewrite_min_size_mb: mebibytes('auto-aof-rewrite-min-size', [1, 65_536], 64, {
    about: 'Size below which the append-only file is not rewritten, in MiB',
  }),

  maxclients: integer('maxclients', [10, 100_000], 10_000, {
    about: "Connections at once, the platform's own few included; never above what the node's open files allow",
  }),
  timeout_s: integer('timeout', [0, 31_536_000], 0, { about: 'Seconds after which an idle client is closed; 0 never' }),
  // The kernel refuses a TCP_KEEPIDLE above 32767.
  tcp_keepalive_s: integer('tcp-keepalive', [0, 32_767], 300, {
    about: 'Seconds between TCP keepalives; 0 sends none',
  }),
  tracking_table_max_keys: integer('tracking-table-max-keys', [0, 10_000_000], 1_000_000, {
    about: 'Keys remembered for client-side caching; 0 is no limit',
  }),
  notify_keyspace_events: custom(
    'notify-keyspace-events',
    z
      .string()
      .max(24)
      .regex(/^[KEg$lshzxetdmnA]*$/),
    '',
    (v) => [v],
    {
      about: 'Which keyspace events are published, in Valkey’s letters; empty publishes none',
    },
  ),

  slowlog_log_slower_than_us: integer('slowlog-log-slower-than', [-1, 3_600_000_000], 10_000, {
    about: 'Microseconds from which a command enters the slow log; -1 none, 0 all',
  }),
  slowlog_max_len: integer('slowlog-max-len', [0, 100_000], 128, { about: 'Entries kept in the slow log' }),
  commandlog_request_larger_than_bytes: integer('commandlog-request-larger-than', [-1, 1_073_741_824], 1_048_576, {
    about: 'Bytes from which a request enters the command log; -1 none',
    since: '8.1',
  }),
  commandlog_large_request_max_len: integer('commandlog-large-request-max-len', [0, 100_000], 128, {
    about: 'Large requests kept in the command log',
    since: '8.1',
  }),
  commandlog_reply_larger_than_bytes: integer('commandlog-reply-larger-than', [-1, 1_073_741_824], 1_048_576, {
    about: 'Bytes from which a reply enters the command log; -1 none',
    since: '8.1',
  }),
  commandlog_large_reply_max_len: integer('commandlog-large-reply-max-len', [0, 100_000], 128, {
    about: 'Large replies kept in the command log',
    since: '8.1',
  }),
  latency_monitor_threshold_ms: integer('latency-monitor-threshold', [0, 3_600_000], 0, {
    about: 'Milliseconds from which an event enters the latency monitor; 0 switches it off',
  }),
  latency_tracking: flag('latency-tracking', true, 'Keep latency percentiles per command'),
  acllog_max_len: integer('acllog-max-len', [0, 10_000], 128, { about: 'Refused commands kept in the ACL log' }),
  busy_reply_threshold_ms: integer('busy-reply-threshold', [100, 3_600_000], 5000, {
    about: 'Milliseconds after which a running script makes others see BUSY',
  }),

  hash_max_listpack_entries: integer('hash-max-listpack-entries', [0, 65_536], 512, {
    about: 'Fields of a compact hash',
  }),
  hash_max_listpack_value_bytes: integer('hash-max-listpack-value', [0, 8192], 64, {
    about: 'Longest value of a compact hash',
  }),
  list_max_listpack_size: custom('list-max-listpack-size', listNodeSize, -2, (value) => [String(value)], {
    about: 'Size of a list node: -1 to -5 for 4 to 64 KiB, or a number of elements',
  }),
  list_compress_depth: integer('list-compress-depth', [0, 1000], 0, {
    about: 'List nodes left uncompressed at each end; 0 all',
  }),
  set_max_intset_entries: integer('set-max-intset-entries', [0, 65_536], 512, {
    about: 'Members of a compact set of integers',
  }),
  set_max_listpack_entries: integer('set-max-listpack-entries', [0, 65_536], 128, {
    about: 'Members of a compact set',
  }),
  set_max_listpack_value_bytes: integer('set-max-listpack-value', [0, 8192], 64, {
    about: 'Longest member of a compact set',
  }),
  zset_max_listpack_entries: integer('zset-max-listpack-entries', [0, 65_536], 128, {
    about: 'Members of a compact sorted set',
  }),
  zset_max_listpack_value_bytes: integer('zset-max-listpack-value', [0, 8192], 64, {
    about: 'Longest member of a compact sorted set',
  }),
  stream_node_max_bytes: integer('stream-node-max-bytes', [0, 1_048_576], 4096, {
    about: 'Bytes of a stream node; 0 is no limit',
  }),
  stream_node_max_entries: integer('stream-node-max-entries', [0, 100_000], 100, {
    about: 'Entries of a stream node; 0 is no limit',
  }),
  hll_sparse_max_bytes: integer('hll-sparse-max-bytes', [0, 16_000], 3000, { about: 'Bytes of a sparse HyperLogLog' }),
  hz: integer('hz', [1, 500], 10, { about: 'Background rounds per second' }),
  activerehashing: flag('activerehashing', true, 'Rehash in idle moments'),

  // Only upwards: with fewer, 8.0.1 loads an AOF's keys of a missing database into another one, or refuses to start.
  databases: integer('databases', [16, 1024], 16, {
    about: 'Databases that SELECT knows; the number can only grow',
    change: 'restart',
  }),
  // 4 threads on one CPU: 43,000 SET/s became 3,600. So one thread unless somebody knows better.
  io_threads: integer('io-threads', [1, 16], 1, {
    about: 'Threads for sockets and TLS; more than the node has idle cores makes a server many times slower',
    change: 'restart',
  }),
} as const

export type SettingName = keyof typeof settings
type Shape = { [K in SettingName]: z.ZodOptional<(typeof settings)[K]['schema']> }

/** An instance's settings as the API and the store hold them. What is absent has the table's fallback. */
export type InstanceSettings = { [K in SettingName]?: z.infer<(typeof settings)[K]['schema']> | undefined }

/** Names in the table's order. */
export const settingNames = Object.keys(settings) as SettingName[]

/** Refuses unknown fields (`__proto__` among them), numbers as strings, and values out of range. */
export const instanceSettingsSchema = z
  .strictObject(Object.fromEntries(settingNames.map((name) => [name, settings[name].schema.optional()])) as Shape)
  .meta({ id: 'InstanceSettings' })

/** Settings that an engine is too old for: what the API refuses before it is stored. */
export function unsupportedSettings(given: InstanceSettings, version: string): SettingName[] {
  return settingNames.filter((name) => given[name] !== undefined && !engineAtLeast(version, settings[name].since))
}

/** Settings whose change from `before` to `after` would cost data: what the API refuses before it is stored. */
export function harmfulChanges(before: InstanceSettings, after: InstanceSettings): SettingName[] {
  const databases = (given: InstanceSettings): number => given.databases ?? settings.databases.fallback
  return databases(after) < databases(before) ? ['databases'] : []
}

/**
 * The directives of the settings given, in the table's order. One that the engine is too old for is left out: the API
 * refuses it, and a server of an older engine must still start.
 */
export function settingsToDirectives(given: InstanceSettings, version: string): Directive[] {
  return settingNames
    .filter((name) => given[name] !== undefined && engineAtLeast(version, settings[name].since))
    .map((name) => toDirective(settings[name], given[name]))
}

/** The directives of every setting's fallback that the engine knows. */
export function fallbackDirectives(version: string): Directive[] {
  return settingNames
    .filter((name) => engineAtLeast(version, settings[name].since))
    .map((name) => toDirective(settings[name], settings[name].fallback))
}

function toDirective(row: Setting, value: unknown): Directive {
  return { name: row.directive, args: row.toArgs(value) }
}
