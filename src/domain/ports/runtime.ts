import type { DataState, FilesObservation, ProcessObservation } from '../plan/spec.ts'
import type { FilePart } from '../plan/step.ts'
import type { StepError } from '../plan/step-error.ts'
import type { ServerLayout, ServerPlan } from '../server-plan.ts'

/** Puts a ServerPlan in a medium. Implemented by runtime/*; one contract suite runs against each. */
export type Runtime = {
  layout(id: string): ServerLayout
  /**
   * Writes the parts named. Each file appears whole (temporary name, then rename) and with mode 0600 in 0700 directories.
   * @param key the private key's PEM, already unsealed; needed for part `tls`
   */
  write(plan: ServerPlan, parts: FilePart[], key: string | null): Promise<void>
  /** Starts the process in its own session, or finds that it runs. Resolves once it answers, be it that it is loading; rejects when it ends first. */
  start(plan: ServerPlan, options: { appendonly: 'yes' | 'no' }, signal: AbortSignal): Promise<void>
  /**
   * Ends the process: `save` lets it save and exit, `kill` does not wait for it. Safe when it does not run.
   * @param beat called while it is seen to save: a large data set takes minutes
   */
  stop(id: string, how: 'save' | 'kill', signal: AbortSignal, beat?: () => void): Promise<void>
  /** Ends the process and removes every file. Safe to repeat. */
  remove(id: string): Promise<void>
  /**
   * @param serves whether the server was heard on its own port, as far as that is known: who holds the port is not looked
   *   for then, which is what costs most
   */
  observe(
    plan: ServerPlan,
    serves?: Promise<boolean>,
  ): Promise<{
    files: FilesObservation | null
    data: DataState
    process: ProcessObservation | null
    port: 'free' | 'ours' | 'stranger'
    binaryVersion: string | null
  }>
  /** Every server with a directory or a process in this runtime's place, known to the platform or not. */
  list(): Promise<{ id: string; pid: number | null }[]>
  /** Why a server that is not running ended, from its last words; null where it was stopped or never started. */
  endReason(id: string): Promise<StepError | null>
}
