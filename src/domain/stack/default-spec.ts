import { IMAGE_USER } from './places.ts'
import { type StackPreset, stackPresets } from './presets.ts'
import type { StackSpec, StackUser } from './spec.ts'

export type StackChoices = {
  preset?: StackPreset
  prefix?: string
  /** `UID:GID` that the service runs as and that its files belong to; the image's own by default. */
  user?: string
  /** Each user gets a password file of its own. */
  perUserFiles?: boolean
}

/** The stack as its source describes it, with what a person chose at `init`. */
export function defaultSpec(choices: StackChoices = {}): StackSpec {
  const { preset = 'default', prefix = 'molis', user = IMAGE_USER, perUserFiles = false } = choices
  const users = Object.entries<StackUser>(stackPresets[preset]).map(([name, declared]) => {
    const own = declared.password_file === undefined && perUserFiles ? { password_file: `${name}.txt` } : {}
    return [name, { ...declared, ...own }]
  })
  return {
    version: 1,
    prefix,
    engine: '8.0',
    users: Object.fromEntries(users),
    health_user: 'healthcheck',
    certificates: {
      days: 365,
      ca: '/CN=Molis-Valkey-CA/O=OdraLabs',
      server: '/CN=valkey/O=OdraLabs',
      client: '/CN=valkey-client/O=OdraLabs',
      names: ['valkey', 'localhost'],
      addresses: ['127.0.0.1', '::1'],
    },
    server: {
      maxmemory_mb: 256,
      // Whoever fills the memory evicts what has a TTL: with an agent that must not remove approvals nothing is evicted.
      maxmemory_policy: preset === 'hardened' ? 'noeviction' : 'volatile-lru',
      maxclients: 100,
      timeout_s: 300,
      tcp_keepalive_s: 300,
      io_threads: 'auto',
      aof_file: `${prefix}.aof`,
      rdb_file: `${prefix}.rdb`,
    },
    service: {
      name: 'valkey',
      image: 'valkey/valkey:8-alpine',
      container_name: prefix === 'molis' ? 'polis-v2-valkey' : `${prefix}-valkey`,
      label: `${prefix}-valkey`,
      network: 'gateway-bridge',
      network_external: false,
      volume: `${prefix}-valkey-data`,
      user,
      cpus: 1,
      memory_mb: 512,
      memory_reservation_mb: 256,
    },
    files: {
      compose: 'deploy/docker-compose.yml',
      compose_shared: false,
      secrets: 'deploy/secrets',
      config: 'config/valkey.conf',
      certs: 'certs/valkey',
      scripts: 'scripts',
    },
  }
}
