/** The compose file of a stack, as data. Each value is plain: whoever writes it as YAML quotes it. */
import { IMAGE_USER, inContainer, mountedCertificates, scriptFiles, secretFiles } from './places.ts'
import type { StackSpec } from './spec.ts'

/** Where a stack's files are seen from the compose file: relative paths, as Docker Compose takes them. */
export type ComposePaths = { secrets: string; config: string; certs: string; scripts: string }

type Mount = string | Readonly<Record<string, unknown>>
export type ComposeService = Readonly<Record<string, unknown>>

/** What goes into a compose file, by top-level key. */
export type ComposeParts = {
  services: Record<string, ComposeService>
  networks: Record<string, object>
  volumes: Record<string, object>
  secrets: Record<string, object>
}

export const composeSecrets = { password: 'valkey_password', acl: 'valkey_acl' } as const

/** Seconds until Docker kills what was told to stop: a save writes at least 50 MB a second. */
function stopGraceSeconds(spec: StackSpec): number {
  return Math.max(10, Math.ceil(spec.server.maxmemory_mb / 50))
}

/** Key of the volume within the file; its name on the machine is `service.volume`. */
const volumeKey = (spec: StackSpec): string => `${spec.service.name}-data`

/** Name of the one-shot service that hands a new volume to a user who is not the image's own. */
export const handoverService = (spec: StackSpec): string => `${spec.service.name}-volume`

/** Whether the volume, which Docker makes the image user's, has to be handed over first. */
export const needsHandover = (spec: StackSpec): boolean => spec.service.user !== IMAGE_USER

/** Long form: of a source that is missing, the short one makes an empty directory, and the server dies of that instead. */
const readOnly = (source: string, target: string): Mount => ({
  type: 'bind',
  source,
  target,
  read_only: true,
  bind: { create_host_path: false },
})

function mounts(spec: StackSpec, paths: ComposePaths): Mount[] {
  return [
    readOnly(paths.config, inContainer.conf),
    readOnly(`${paths.scripts}/${scriptFiles.health}`, inContainer.health),
    ...mountedCertificates.map((file) => readOnly(`${paths.certs}/${file}`, `${inContainer.tlsDir}/${file}`)),
    `${volumeKey(spec)}:${inContainer.data}`,
  ]
}

/** The server, its save, and a health check's few processes. */
const PIDS = 128

/** What both containers have: nothing of the host, no new rights, no room to write but what is mounted. */
const confined = { security_opt: ['no-new-privileges:true'], cap_drop: ['ALL'], read_only: true } as const

function valkeyService(spec: StackSpec, paths: ComposePaths): ComposeService {
  const { service } = spec
  return {
    image: service.image,
    container_name: service.container_name,
    // The configuration binds to this name, and the certificate carries it.
    hostname: service.name,
    user: service.user,
    // No shell around it: the server is process 1, hears `docker stop` and saves.
    command: ['valkey-server', inContainer.conf],
    ...(needsHandover(spec)
      ? { depends_on: { [handoverService(spec)]: { condition: 'service_completed_successfully' } } }
      : {}),
    networks: [service.network],
    secrets: [composeSecrets.password, composeSecrets.acl],
    volumes: mounts(spec, paths),
    environment: { VALKEY_HOST: service.name, VALKEY_USER: spec.health_user },
    healthcheck: { test: ['CMD', inContainer.health], interval: '5s', timeout: '10s', retries: 3, start_period: '30s' },
    ...confined,
    tmpfs: ['/tmp:size=10M,mode=1777'],
    deploy: {
      resources: {
        limits: { memory: `${service.memory_mb}M`, cpus: cpuText(service.cpus), pids: PIDS },
        reservations: { memory: `${service.memory_reservation_mb}M` },
      },
    },
    // No swap beside it: a server that swaps answers in seconds, and its memory is on a disk.
    memswap_limit: `${service.memory_mb}M`,
    logging: { driver: 'json-file', options: { 'max-size': '50m', 'max-file': '5' } },
    restart: 'unless-stopped',
    stop_grace_period: `${stopGraceSeconds(spec)}s`,
    labels: { service: service.label },
  }
}

/** CHOWN alone, no network, and it ends at once. */
function handover(spec: StackSpec): ComposeService {
  return {
    image: spec.service.image,
    user: '0:0',
    entrypoint: ['chown', '-R', spec.service.user, inContainer.data],
    network_mode: 'none',
    volumes: [`${volumeKey(spec)}:${inContainer.data}`],
    ...confined,
    cap_add: ['CHOWN', 'DAC_READ_SEARCH'],
    restart: 'no',
  }
}

/** `1` is 1.0, as people write it. */
const cpuText = (cpus: number): string => (Number.isInteger(cpus) ? cpus.toFixed(1) : String(cpus))

/** The parts of a stack in a compose file. */
export function stackCompose(spec: StackSpec, paths: ComposePaths): ComposeParts {
  const { service } = spec
  return {
    services: {
      ...(needsHandover(spec) ? { [handoverService(spec)]: handover(spec) } : {}),
      [service.name]: valkeyService(spec, paths),
    },
    networks: {
      [service.network]: service.network_external
        ? { name: service.network, external: true }
        : { name: service.network, internal: true },
    },
    volumes: { [volumeKey(spec)]: { name: service.volume } },
    secrets: {
      [composeSecrets.password]: { file: `${paths.secrets}/${healthPasswordFile(spec)}` },
      [composeSecrets.acl]: { file: `${paths.secrets}/${secretFiles.acl}` },
    },
  }
}

/** The file of the health user's password; the schema has seen to it that there is one. */
export function healthPasswordFile(spec: StackSpec): string {
  const file = spec.users[spec.health_user]?.password_file
  if (file === undefined) throw new Error(`the health user ${spec.health_user} has no password file`)
  return file
}
