import type { AclUser } from '../acl/acl-user.ts'
import type { Health } from '../model/status.ts'
import type { SecretRef, ServerPlan } from '../server-plan.ts'

/** How an agent reaches one server: its id and the reference of the platform admin's password. */
export type ServerHandle = {
  id: string
  adminRef: SecretRef
}

/** What one server should be. */
export type ServerSpec = {
  handle: ServerHandle
  nodeId: string
  plan: ServerPlan
  /** Names among plan.acl that the plan leaves alone: users whose last change failed for good. */
  ignoreUsers: string[]
}

/** The desired state of one instance at one generation. */
export type InstanceSpec = {
  instanceId: string
  /** `absent`: nothing of it may remain. */
  desired: 'running' | 'stopped' | 'absent'
  /** Has been active once: its data is somebody's, and its port never moves by itself. */
  everActive: boolean
  servers: ServerSpec[]
  /** What a person accepted for this operation, see docs on recovery. */
  accept: { data: 'rdb' | 'empty' | null }
}

/** What lies in a server's data directory, judged before any start. */
export type DataState =
  | { kind: 'empty' }
  | { kind: 'aof' /** Engine version that wrote it last, where known. */; writtenBy: string | null }
  | { kind: 'rdb-only'; writtenBy: string | null }
  | { kind: 'unsafe'; reason: string }

export type FilesObservation = {
  /** Directives of valkey.conf, null where it is missing or cannot be parsed. */
  conf: { name: string; args: string[] }[] | null
  /** Users of the aclfile, null where it is missing or cannot be parsed. */
  acl: AclUser[] | null
  certFingerprint: string | null
  /** The private key fits the certificate. */
  keyFits: boolean
  caPem: string | null
  /** Files and directories that are open to others than their owner. */
  tooOpen: string[]
}

export type ProcessObservation = {
  pid: number
  /** `T`: stopped by a signal. */
  frozen: boolean
}

/** What a server says of itself, read as the platform's admin over its own socket. */
export type LiveObservation = {
  version: string
  runId: string
  processId: number
  configFile: string
  loading: boolean
  /** A rewrite or a save is under way or scheduled. */
  aofRewriting: boolean
  /** Persistence that failed, in the server's words. */
  persistenceError: string | null
  config: Record<string, string>
  acl: AclUser[]
  /** A TLS handshake and an authenticated INFO on the port that clients use. */
  tls: { fingerprint: string; runId: string } | { error: string }
}

export type ServerObservation = {
  /** null: the server's directory does not exist. */
  files: FilesObservation | null
  data: DataState
  /** The process of this server, identified by more than its pid. */
  process: ProcessObservation | null
  /** Who holds the server's port. */
  port: 'free' | 'ours' | 'stranger'
  /** null: no process, or it does not answer. */
  live: LiveObservation | null
  /** Why live is null though there is a process. */
  silent: string | null
  /** Version that the pinned binary has now; null: it is gone. */
  binaryVersion: string | null
}

export type InstanceObservation = { servers: Record<string, ServerObservation> }

/** Health as an observation shows it. */
export type ObservedHealth = Exclude<Health, 'unknown'>
