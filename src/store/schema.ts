/**
 * The core database as Kysely sees it, the same in every dialect: text ids, ISO timestamps as text,
 * JSON as text, booleans as 0 and 1. The rows' meaning is in domain/model; the queries of a noun map between the two.
 */
export type Database = {
  tenants: {
    id: string
    name: string
    max_instances: number | null
    max_total_memory_mb: number | null
    created_at: string
    updated_at: string
    revision: number
  }
  nodes: {
    id: string
    name: string
    address: string
    agent: string
    capacity_mb: number
    /** Sum of max_memory_mb over the servers placed here; kept in the transaction of each change. */
    reserved_mb: number
    port_min: number
    port_max: number
    /** Where the search for a free port goes on. */
    next_port: number
    created_at: string
    updated_at: string
    revision: number
  }
  shards: { id: string; name: string; role: string; created_at: string; updated_at: string; revision: number }
  shard_nodes: { shard_id: string; node_id: string }
  instances: {
    id: string
    tenant_id: string | null
    name: string
    shard_id: string | null
    port: number
    max_memory_mb: number
    settings: string
    status: string
    status_message: string | null
    health: string
    desired_state: string
    engine_version: string
    deletion_protection: number
    generation: number
    observed_generation: number
    ever_active: number
    created_at: string
    updated_at: string
    deleted_at: string | null
    revision: number
  }
  servers: {
    id: string
    instance_id: string
    node_id: string
    port: number
    role: string
    engine_version: string
    admin_secret_id: string
    replication_secret_id: string
    monitor_secret_id: string
    /** All four null until the loop has issued the first one. */
    cert_pem: string | null
    cert_key_secret_id: string | null
    cert_fingerprint: string | null
    cert_not_after: string | null
    created_at: string
  }
  /** (node, port) is the primary key: a port belongs to one server, and to nobody until its cool-down is over. */
  ports: { node_id: string; port: number; server_id: string | null; free_after: string | null }
  users: {
    id: string
    instance_id: string
    username: string
    privileges: string
    key_pattern: string
    channel_pattern: string | null
    password_secret_id: string
    kind: string
    expires_at: string | null
    status: string
    status_message: string | null
    held: number
    generation: number
    observed_generation: number
    created_at: string
    updated_at: string
    deleted_at: string | null
    revision: number
  }
  operations: {
    id: string
    kind: string
    instance_id: string
    user_id: string | null
    tenant_id: string | null
    target_generation: number
    status: string
    attempts: number
    cause: string | null
    note: string | null
    undo: string | null
    accept_data: string | null
    actor: string
    request_id: string | null
    created_at: string
    started_at: string | null
    finished_at: string | null
    updated_at: string
    revision: number
  }
  operation_steps: {
    operation_id: string
    seq: number
    kind: string
    server_id: string
    attempt: number
    status: string
    started_at: string
    finished_at: string | null
    error: string | null
  }
  secrets: { id: string; key_id: string; blob: string; created_at: string }
  /** The installation's certificate authorities, newest used for issuing, all of them in the bundle. */
  authorities: { id: string; cert_pem: string; key_secret_id: string; not_after: string; created_at: string }
  api_keys: {
    id: string
    name: string
    key_hash: string
    scopes: string
    tenant_id: string | null
    expires_at: string | null
    created_at: string
    revision: number
  }
  idempotency: {
    api_key_id: string
    key: string
    /** SHA-256 of method, path and body. */
    fingerprint: string
    status: number
    headers: string
    body: string
    created_at: string
  }
  audit: {
    id: string
    at: string
    actor: string
    action: string
    target: string
    outcome: string
    request_id: string | null
    detail: string | null
  }
  /** Facts of the installation itself: its id, when it was made. */
  installation: { key: string; value: string }
}
