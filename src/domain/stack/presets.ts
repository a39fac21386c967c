/** The two sets of users that a stack can begin with. `{prefix}` stands for the stack's key prefix. */
import type { StackUser } from './spec.ts'

/** What every client library does on connecting. HELLO, AUTH, QUIT and RESET no ACL could refuse; they are said all the same. */
const CONNECT = ['+hello', '+auth', '+quit', '+reset', '+client|setinfo', '+client|setname']

/** What ends a key at one blow. DELIFEQ is of Valkey 9: a rule for it is written where the engine has it. */
const NO_REMOVAL = ['-del', '-unlink', '-getdel', '-delifeq', '-rename', '-renamenx', '-move', '-restore']

/**
 * Reads and writes its three families of keys. FUNCTION is in @write and reaches everybody's code; CLIENT REPLY is in
 * @connection and in neither @admin nor @dangerous; INFO is @dangerous, and GLIDE does not connect without it.
 */
const agent: StackUser = {
  keys: ['~{prefix}:blocked:*', '~{prefix}:approved:*', '~{prefix}:config:*'],
  commands: [
    '+@read',
    '+@write',
    '+@connection',
    '-@admin',
    '-@dangerous',
    ...NO_REMOVAL,
    '-function',
    '-client|reply',
    '+info',
  ],
  env: 'VALKEY_MCP_AGENT_PASS',
}

/** Everything within the prefix. A key pattern holds neither FLUSHALL nor code that others run: they go by name. */
const admin: StackUser = {
  keys: ['~{prefix}:*'],
  commands: [
    '+@all',
    '-@dangerous',
    '-flushall',
    '-flushdb',
    '-debug',
    '-config',
    '-shutdown',
    '-acl',
    '+acl|whoami',
    '-function',
    '-script|flush',
    '-client|reply',
    '+info',
  ],
  env: 'VALKEY_MCP_ADMIN_PASS',
}

const logWriter: StackUser = {
  keys: ['~{prefix}:log:events'],
  commands: ['+zadd', '+zrangebyscore', '+zcard', '+ping', ...CONNECT],
  env: 'VALKEY_LOG_WRITER_PASS',
}

const healthcheck: StackUser = {
  keys: [],
  commands: ['+ping', '+info', ...CONNECT],
  env: 'VALKEY_HEALTHCHECK_PASS',
  password_file: 'valkey_password.txt',
}

/**
 * The agent of the hardened preset, an allow-list by type of value. It reads approvals and configuration and cannot write
 * them (`%R~`); all that its commands remove, overwrite or expire lies in its own blocked entries. Left out are the
 * commands that write through a key the engine calls read-only (XREADGROUP), those that read one key into another (COPY,
 * the …STORE family, BITOP, PFMERGE), SCAN and RANDOMKEY, which name everybody's keys, and CLIENT TRACKING, which
 * announces them.
 */
const hardenedAgent: StackUser = {
  keys: ['~{prefix}:blocked:*', '%R~{prefix}:approved:*', '%R~{prefix}:config:*'],
  commands: [
    ...['+ping', '+info', '+echo', '+client|id', '+client|getname', ...CONNECT],
    ...['+exists', '+type', '+ttl', '+pttl', '+expiretime', '+pexpiretime'],
    ...['+del', '+unlink', '+expire', '+pexpire', '+expireat', '+pexpireat', '+persist'],
    ...['+get', '+mget', '+strlen', '+getrange', '+set', '+incr', '+incrby', '+decr', '+decrby', '+append'],
    ...['+hget', '+hmget', '+hgetall', '+hexists', '+hlen', '+hkeys', '+hvals'],
    ...['+hset', '+hsetnx', '+hdel', '+hincrby'],
    ...['+smembers', '+sismember', '+smismember', '+scard', '+sadd', '+srem'],
    ...['+zrange', '+zrangebyscore', '+zscore', '+zmscore', '+zrank', '+zcard', '+zcount'],
    ...['+zadd', '+zincrby', '+zrem', '+zremrangebyscore'],
    ...['+lrange', '+lindex', '+llen', '+lpush', '+rpush', '+lpop', '+rpop', '+lrem', '+ltrim'],
  ],
  env: agent.env,
}

const others = { 'mcp-admin': admin, 'log-writer': logWriter, healthcheck }

export const stackPresets = {
  default: { 'mcp-agent': agent, ...others },
  hardened: { 'mcp-agent': hardenedAgent, ...others },
} as const satisfies Record<string, Record<string, StackUser>>

export type StackPreset = keyof typeof stackPresets
export const stackPresetNames = Object.keys(stackPresets) as [StackPreset, ...StackPreset[]]
