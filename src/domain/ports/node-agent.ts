import type { ServerHandle, ServerObservation } from '../plan/spec.ts'
import type { Step } from '../plan/step.ts'
import type { Engine, ServerPlan } from '../server-plan.ts'

/** What a node says of itself once, at start. */
export type NodeFacts = {
  serversDir: string
  socketsDir: string
  /** The engine that new instances get. */
  engine: Engine
}

export type Progress = { message: string }

/** What a person's command may do on one server: the answers of ACL DRYRUN, in the order asked. */
export type DryRunVerdict = { allowed: true } | { allowed: false; reason: string }

/** What a node can do. In-process, or behind Temporal activities on the node's queue. */
export type NodeAgent = {
  facts: NodeFacts
  observe(server: ServerHandle, plan: ServerPlan, signal: AbortSignal): Promise<ServerObservation>
  /** Returns nothing: the truth is what observe says next. */
  execute(step: Step, signal: AbortSignal, beat: (progress: Progress) => void): Promise<void>
  dryRun(server: ServerHandle, username: string, commands: string[][]): Promise<DryRunVerdict[]>
  /** Ids of servers whose files or processes are on the node, whether the platform knows them or not. */
  list(): Promise<{ id: string; pid: number | null }[]>
  /**
   * Watches a server until the function returned is called: its end, and whether it answers.
   * Events only; nothing is repaired here.
   */
  watch(server: ServerHandle, events: WatchEvents): () => void
}

export type WatchEvents = {
  onDown(reason: string): void
  onUnresponsive(): void
  onResponsive(): void
}
