/** What INFO says of one server, in our words and units. */
export type ServerInfo = {
  /** Valkey's own version, for example `8.0.1`. */
  version: string
  processId: number
  runId: string
  /** Absolute path, empty where the server runs without a file. */
  configFile: string
  executable: string
  /** The plain port where there is one, else the TLS port. */
  tcpPort: number
  uptimeS: number
  /** Reading its data: every command but a few answers LOADING. */
  loading: boolean
  role: 'primary' | 'replica'
  usedMemory: number
  maxMemory: number
  connectedClients: number
  rdb: { bgsaveInProgress: boolean; lastBgsaveStatus: 'ok' | 'err'; saves: number }
  aof: {
    enabled: boolean
    rewriteInProgress: boolean
    rewriteScheduled: boolean
    lastWriteStatus: 'ok' | 'err'
    lastBgrewriteStatus: 'ok' | 'err'
  }
  replication: {
    /** Identifies one history of writes. */
    replId: string
    /** Bytes of that history produced (primary) or received (replica). */
    offset: number
    connectedReplicas: number
    /** Of a replica; null on a primary. */
    link: { host: string; port: number; up: boolean; syncInProgress: boolean } | null
  }
}

/**
 * Parses INFO (sections server, clients, memory, persistence, replication). The only place where the engine's words
 * `master` and `slave` appear.
 * @throws TypeError naming a field that is missing or no number
 */
export function parseInfo(text: string): ServerInfo {
  const fields = parseFields(text)
  const word = (name: string): string => {
    const value = fields.get(name)
    if (value === undefined) throw new TypeError(`INFO has no ${name}`)
    return value
  }
  const number = (name: string): number => {
    const value = word(name)
    if (!/^-?\d+$/.test(value)) throw new TypeError(`INFO's ${name} is no number`)
    return Number(value)
  }
  const yes = (name: string): boolean => word(name) !== '0'
  const status = (name: string): 'ok' | 'err' => (word(name) === 'ok' ? 'ok' : 'err')
  const replica = word('role') === 'slave'
  return {
    version: fields.get('valkey_version') ?? word('redis_version'),
    processId: number('process_id'),
    runId: word('run_id'),
    configFile: word('config_file'),
    executable: word('executable'),
    tcpPort: number('tcp_port'),
    uptimeS: number('uptime_in_seconds'),
    loading: yes('loading'),
    role: replica ? 'replica' : 'primary',
    usedMemory: number('used_memory'),
    maxMemory: number('maxmemory'),
    connectedClients: number('connected_clients'),
    rdb: {
      bgsaveInProgress: yes('rdb_bgsave_in_progress'),
      lastBgsaveStatus: status('rdb_last_bgsave_status'),
      // A counter of 8.0 and newer; Redis, which a migration may read, has none.
      saves: fields.has('rdb_saves') ? number('rdb_saves') : 0,
    },
    aof: {
      enabled: yes('aof_enabled'),
      rewriteInProgress: yes('aof_rewrite_in_progress'),
      rewriteScheduled: yes('aof_rewrite_scheduled'),
      lastWriteStatus: status('aof_last_write_status'),
      lastBgrewriteStatus: status('aof_last_bgrewrite_status'),
    },
    replication: {
      replId: word('master_replid'),
      offset: number(replica && fields.has('slave_repl_offset') ? 'slave_repl_offset' : 'master_repl_offset'),
      connectedReplicas: number('connected_slaves'),
      link: replica
        ? {
            host: word('master_host'),
            port: number('master_port'),
            up: word('master_link_status') === 'up',
            syncInProgress: yes('master_sync_in_progress'),
          }
        : null,
    },
  }
}

/** INFO as fields: lines `name:value`, sections and blank lines left out. */
export function parseFields(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}
