import { type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from '../migration.ts'

type Build = CreateTableBuilder<string, string>

/** Columns by type: `?` after a name makes it nullable. */
function columns(build: Build, type: 'text' | 'integer', names: string): Build {
  return names.split(' ').reduce((table, name) => {
    if (name.endsWith('?')) return table.addColumn(name.slice(0, -1), type)
    return table.addColumn(name, type, (c) => c.notNull())
  }, build)
}

type Table = {
  name: string
  text: string
  integer?: string
  primaryKey: string[]
  /** Column -> table whose id it holds. */
  references?: Record<string, string>
  /** Columns whose rows go with the row they refer to. */
  cascade?: string[]
}

const tables: Table[] = [
  {
    name: 'tenants',
    text: 'id name created_at updated_at',
    integer: 'max_instances? max_total_memory_mb? revision',
    primaryKey: ['id'],
  },
  {
    name: 'nodes',
    text: 'id name address agent created_at updated_at',
    integer: 'capacity_mb reserved_mb port_min port_max next_port revision',
    primaryKey: ['id'],
  },
  { name: 'shards', text: 'id name role created_at updated_at', integer: 'revision', primaryKey: ['id'] },
  {
    name: 'shard_nodes',
    text: 'shard_id node_id',
    primaryKey: ['shard_id', 'node_id'],
    references: { shard_id: 'shards', node_id: 'nodes' },
    cascade: ['shard_id'],
  },
  {
    name: 'instances',
    text:
      'id tenant_id? name shard_id? settings status status_message? health desired_state engine_version ' +
      'created_at updated_at deleted_at?',
    integer: 'port max_memory_mb deletion_protection generation observed_generation ever_active revision',
    primaryKey: ['id'],
    references: { tenant_id: 'tenants', shard_id: 'shards' },
  },
  {
    name: 'servers',
    text:
      'id instance_id node_id role engine_version admin_secret_id replication_secret_id monitor_secret_id ' +
      'cert_pem? cert_key_secret_id? cert_fingerprint? cert_not_after? created_at',
    integer: 'port',
    primaryKey: ['id'],
    references: { instance_id: 'instances', node_id: 'nodes' },
  },
  {
    name: 'ports',
    text: 'node_id server_id? free_after?',
    integer: 'port',
    primaryKey: ['node_id', 'port'],
    references: { node_id: 'nodes' },
  },
  {
    name: 'users',
    text:
      'id instance_id username privileges key_pattern channel_pattern? password_secret_id kind expires_at? ' +
      'status status_message? created_at updated_at deleted_at?',
    integer: 'held generation observed_generation revision',
    primaryKey: ['id'],
    references: { instance_id: 'instances' },
  },
  {
    name: 'operations',
    text:
      'id kind instance_id user_id? tenant_id? status cause? note? undo? accept_data? actor request_id? ' +
      'created_at started_at? finished_at? updated_at',
    integer: 'target_generation attempts revision',
    primaryKey: ['id'],
    references: { instance_id: 'instances' },
  },
  {
    name: 'operation_steps',
    text: 'operation_id kind server_id status started_at finished_at? error?',
    integer: 'seq attempt',
    primaryKey: ['operation_id', 'seq'],
    references: { operation_id: 'operations' },
    cascade: ['operation_id'],
  },
  { name: 'secrets', text: 'id key_id blob created_at', primaryKey: ['id'] },
  { name: 'authorities', text: 'id cert_pem key_secret_id not_after created_at', primaryKey: ['id'] },
  {
    name: 'api_keys',
    text: 'id name key_hash scopes tenant_id? expires_at? created_at',
    integer: 'revision',
    primaryKey: ['id'],
    references: { tenant_id: 'tenants' },
    cascade: ['tenant_id'],
  },
  {
    name: 'idempotency',
    text: 'api_key_id key fingerprint headers body created_at',
    integer: 'status',
    primaryKey: ['api_key_id', 'key'],
  },
  { name: 'audit', text: 'id at actor action target outcome request_id? detail?', primaryKey: ['id'] },
  { name: 'installation', text: 'key value', primaryKey: ['key'] },
]

const alive = sql<boolean>`deleted_at is null`

type Index = { name: string; on: string; columns: string[]; unique?: true; where?: ReturnType<typeof sql<boolean>> }

const indexes: Index[] = [
  { name: 'tenants_name', on: 'tenants', columns: ['name'], unique: true },
  { name: 'nodes_name', on: 'nodes', columns: ['name'], unique: true },
  { name: 'shards_name', on: 'shards', columns: ['name'], unique: true },
  { name: 'shard_nodes_node', on: 'shard_nodes', columns: ['node_id'] },
  { name: 'instances_name', on: 'instances', columns: ['tenant_id', 'name'], unique: true, where: alive },
  // deleted_at once more as a column: SQLite reads the row where the condition alone holds it.
  { name: 'instances_alive', on: 'instances', columns: ['id', 'deleted_at'], where: alive },
  // With the memory, so that a tenant's usage is read from the index alone.
  {
    name: 'instances_tenant_alive',
    on: 'instances',
    columns: ['tenant_id', 'id', 'max_memory_mb', 'deleted_at'],
    where: alive,
  },
  // For the platform's metrics: counted from the index alone.
  { name: 'instances_state', on: 'instances', columns: ['status', 'health', 'deleted_at'], where: alive },
  { name: 'instances_tenant', on: 'instances', columns: ['tenant_id'] },
  { name: 'instances_shard', on: 'instances', columns: ['shard_id'] },
  { name: 'servers_port', on: 'servers', columns: ['node_id', 'port'], unique: true },
  { name: 'servers_instance', on: 'servers', columns: ['instance_id'] },
  { name: 'servers_cert', on: 'servers', columns: ['cert_not_after'] },
  { name: 'ports_cooling', on: 'ports', columns: ['node_id', 'free_after'] },
  { name: 'users_name', on: 'users', columns: ['instance_id', 'username'], unique: true, where: alive },
  { name: 'users_alive', on: 'users', columns: ['instance_id', 'kind', 'id'], where: alive },
  {
    name: 'users_expiring',
    on: 'users',
    columns: ['expires_at'],
    where: sql<boolean>`deleted_at is null and expires_at is not null`,
  },
  { name: 'operations_instance', on: 'operations', columns: ['instance_id', 'id'] },
  { name: 'operations_tenant', on: 'operations', columns: ['tenant_id', 'id'] },
  { name: 'operations_tenant_status', on: 'operations', columns: ['tenant_id', 'status', 'id'] },
  { name: 'operations_state', on: 'operations', columns: ['status', 'kind'] },
  { name: 'operations_status', on: 'operations', columns: ['status', 'id'] },
  {
    name: 'operations_open',
    on: 'operations',
    columns: ['instance_id', 'id'],
    where: sql<boolean>`status in ('pending', 'running')`,
  },
  {
    name: 'operations_unfinished_delete',
    on: 'operations',
    columns: ['instance_id', 'user_id'],
    where: sql<boolean>`kind in ('delete', 'user-delete', 'session-end') and status not in ('succeeded', 'cancelled')`,
  },
  { name: 'operation_steps_server', on: 'operation_steps', columns: ['server_id'] },
  { name: 'api_keys_hash', on: 'api_keys', columns: ['key_hash'], unique: true },
  { name: 'api_keys_tenant', on: 'api_keys', columns: ['tenant_id'] },
  { name: 'idempotency_age', on: 'idempotency', columns: ['created_at'] },
]

async function createTable(db: Kysely<unknown>, table: Table): Promise<void> {
  let build = columns(db.schema.createTable(table.name) as Build, 'text', table.text)
  if (table.integer !== undefined) build = columns(build, 'integer', table.integer)
  build = build.addPrimaryKeyConstraint(`${table.name}_pk`, table.primaryKey as [string])
  for (const [column, target] of Object.entries(table.references ?? {})) {
    build = build.addForeignKeyConstraint(`${table.name}_${column}_fk`, [column], target, ['id'], (fk) =>
      table.cascade?.includes(column) ? fk.onDelete('cascade') : fk,
    )
  }
  await build.execute()
}

/** Everything the first release needs. */
export const core: Migration = {
  version: 1,
  name: 'core',
  async up(db) {
    for (const table of tables) await createTable(db, table)
    for (const { name, on, columns: cols, unique, where } of indexes) {
      let build = db.schema.createIndex(name).on(on).columns(cols)
      if (unique) build = build.unique()
      await (where ? build.where(where) : build).execute()
    }
  },
}
