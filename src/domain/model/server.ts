import type { SecretRef } from '../server-plan.ts'
import type { Timestamp } from './common.ts'

export type Certificate = {
  pem: string
  keySecretId: SecretRef
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint: string
  notAfter: Timestamp
}

/** One valkey-server process of an instance, on one node. */
export type Server = {
  id: string
  instanceId: string
  nodeId: string
  port: number
  role: 'primary' | 'replica'
  engineVersion: string
  adminSecretId: SecretRef
  replicationSecretId: SecretRef
  monitorSecretId: SecretRef
  /** null until the loop has issued the first one; a renewal replaces all of it in one write. */
  certificate: Certificate | null
  createdAt: Timestamp
}
