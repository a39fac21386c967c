import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseInfo } from './info.ts'

const primary = `# Server\r
redis_version:7.2.4\r
server_name:valkey\r
valkey_version:8.0.1\r
process_id:42\r
run_id:18e3d88d8f27887941cb8ddd214ac92818851f54\r
tcp_port:7401\r
uptime_in_seconds:3\r
executable:/usr/bin/valkey-server\r
config_file:/srv/a:b/valkey.conf\r
\r
# Clients\r
connected_clients:1\r
# Memory\r
used_memory:973888\r
maxmemory:67108864\r
# Persistence\r
loading:0\r
rdb_bgsave_in_progress:1\r
rdb_last_bgsave_status:err\r
rdb_saves:7\r
aof_enabled:1\r
aof_rewrite_in_progress:0\r
aof_rewrite_scheduled:1\r
aof_last_bgrewrite_status:ok\r
aof_last_write_status:err\r
# Replication\r
role:master\r
connected_slaves:2\r
master_replid:aa\r
master_repl_offset:99\r
`

const replica = primary
  .replace('role:master', 'role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6390\r\nmaster_link_status:down')
  .replace('connected_slaves:2', 'master_sync_in_progress:1\r\nslave_repl_offset:55\r\nconnected_slaves:0')

test('a primary', () => {
  assert.deepEqual(parseInfo(primary), {
    version: '8.0.1',
    processId: 42,
    runId: '18e3d88d8f27887941cb8ddd214ac92818851f54',
    configFile: '/srv/a:b/valkey.conf',
    executable: '/usr/bin/valkey-server',
    tcpPort: 7401,
    uptimeS: 3,
    loading: false,
    role: 'primary',
    usedMemory: 973888,
    maxMemory: 67108864,
    connectedClients: 1,
    rdb: { bgsaveInProgress: true, lastBgsaveStatus: 'err', saves: 7 },
    aof: {
      enabled: true,
      rewriteInProgress: false,
      rewriteScheduled: true,
      lastWriteStatus: 'err',
      lastBgrewriteStatus: 'ok',
    },
    replication: { replId: 'aa', offset: 99, connectedReplicas: 2, link: null },
  })
})

test('a replica tells its own offset and its link', () => {
  const { role, replication } = parseInfo(replica)
  assert.equal(role, 'replica')
  assert.deepEqual(replication, {
    replId: 'aa',
    offset: 55,
    connectedReplicas: 0,
    link: { host: '10.0.0.1', port: 6390, up: false, syncInProgress: true },
  })
})

test('an engine without valkey_version is told by its redis_version', () => {
  assert.equal(parseInfo(primary.replace('valkey_version:8.0.1\r\n', '')).version, '7.2.4')
})

test('a missing or odd field is named', () => {
  assert.throws(() => parseInfo(primary.replace('run_id', 'x')), { message: 'INFO has no run_id' })
  assert.throws(() => parseInfo(primary.replace('process_id:42', 'process_id:x')), {
    message: "INFO's process_id is no number",
  })
  assert.throws(() => parseInfo(''), TypeError)
})
