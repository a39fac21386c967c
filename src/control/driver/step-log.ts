/** The steps of one run as people see them on its operations. A report only: recovery never reads it. */
import type { OperationStep } from '../../domain/model/operation.ts'
import type { Step } from '../../domain/plan/step.ts'

/** Most steps kept of one run; one that needs more is not converging. */
const maxSteps = 200

/** Reports a step's begin; what it returns reports its end. */
export type BeginStep = (step: Step, attempt: number) => (error: string | null) => void

/**
 * @param save writes one step over the one with its `seq`; called at its begin and at its end, not awaited by the run
 */
export function makeStepLog(now: () => string, save: (step: OperationStep) => void): BeginStep {
  let count = 0
  return (step, attempt) => {
    count += 1
    if (count > maxSteps) return () => undefined
    const row: OperationStep = {
      seq: count,
      kind: step.kind,
      serverId: step.server.id,
      attempt,
      status: 'running',
      startedAt: now(),
      finishedAt: null,
      error: null,
    }
    save({ ...row })
    return (error) => save({ ...row, status: error === null ? 'succeeded' : 'failed', finishedAt: now(), error })
  }
}
