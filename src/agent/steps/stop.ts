import type { Step } from '../../domain/plan/step.ts'
import type { Progress } from '../../domain/ports/node-agent.ts'
import type { AgentDeps } from '../admin.ts'

/**
 * Safe to call without a process. It saves, then exits; what does not end in time is killed. While its snapshot grows
 * the step beats: its time limits silence and not the size of the data.
 */
export const stop = (
  deps: AgentDeps,
  step: Step & { kind: 'stop' },
  signal: AbortSignal,
  beat: (progress: Progress) => void,
): Promise<void> => deps.runtime.stop(step.server.id, 'save', signal, () => beat({ message: 'saving its data' }))
