import type { Noun } from '../domain/model/common.ts'
import type { Vault } from '../domain/ports/vault.ts'

/** What use cases need beside their transaction: every source of randomness, secrets and settings of the platform. */
export type ControlDeps = {
  vault: Vault
  newId: (noun: Noun) => string
  randomPassword: () => string
  randomApiKey: () => string
  /** How much more memory may be promised on a node than it has; 1: none. */
  overcommit: number
  /** The engine that new instances on a node get, as INFO says it; undefined: the platform reaches no agent there. */
  engineVersion: (nodeId: string) => string | undefined
}
