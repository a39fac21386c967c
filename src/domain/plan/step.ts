import type { AclUser } from '../acl/acl-user.ts'
import type { Directive } from '../conf/directive.ts'
import type { Cause } from '../model/common.ts'
import type { ServerPlan } from '../server-plan.ts'
import type { ServerHandle } from './spec.ts'

/** What write-files can write; `modes` closes what is open to others. */
export type FilePart = 'conf' | 'acl' | 'tls' | 'modes'

export type StepBase = { nodeId: string; server: ServerHandle; timeoutMs: number }

/** Plain data and idempotent: safe to repeat, safe to be killed in. A kind names its failpoints too. */
export type Step = StepBase &
  (
    | {
        /** Writes conf, tls and, where no process runs, the aclfile. Each file appears whole or not at all. */
        kind: 'write-files'
        plan: ServerPlan
        parts: FilePart[]
      }
    | {
        /** Starts the process; safe to call when it runs. Returns once it answers or the time is up. */
        kind: 'start'
        plan: ServerPlan
        /** Loads an RDB without an AOF: with appendonly yes the server would start empty (facts §4). */
        appendonly: 'yes' | 'no'
      }
    | { /** One CONFIG SET for all. */ kind: 'configure'; directives: Directive[]; plan: ServerPlan }
    | { /** ACL SETUSER reset …, DELUSER, then ACL SAVE. */ kind: 'set-users'; users: AclUser[]; remove: string[] }
    | { /** Ends the process: it saves, then exits. */ kind: 'stop'; reason: string }
    | { /** Ends the process without saving and removes every file. */ kind: 'remove' }
  )

/** What may be done next, and nothing more. */
export type Plan =
  | { state: 'converged' }
  | { state: 'steps'; steps: Step[] }
  /** Nothing that may be done now is safe. `wait`: it may pass by itself. */
  | { state: 'blocked'; cause: Cause; wait: boolean }

export const blocked = (cause: Cause, wait = false): Plan => ({ state: 'blocked', cause, wait })
export const converged: Plan = { state: 'converged' }
