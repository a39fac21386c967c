import type { Step } from '../../domain/plan/step.ts'
import type { AgentDeps } from '../admin.ts'

/** Safe to call without a process, without files, and with half of them. */
export const remove = (deps: AgentDeps, step: Step & { kind: 'remove' }): Promise<void> =>
  deps.runtime.remove(step.server.id)
