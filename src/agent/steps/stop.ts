import type { Step } from '../../domain/plan/step.ts'
import type { AgentDeps } from '../admin.ts'

/** Safe to call without a process. It saves, then exits; what does not end in time is killed. */
export const stop = (deps: AgentDeps, step: Step & { kind: 'stop' }, signal: AbortSignal): Promise<void> =>
  deps.runtime.stop(step.server.id, 'save', signal)
