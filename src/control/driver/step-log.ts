/** The steps of one run as people see them on its operations. A report only: recovery never reads it. */
import type { OperationStep } from '../../domain/model/operation.ts'
import type { Step } from '../../domain/plan/step.ts'

/** Most steps kept on one operation; a run that needs more is not converging. */
const maxSteps = 200

export type StepLog = {
  begin(step: Step, attempt: number): (error: string | null) => void
  steps(): OperationStep[]
}

/**
 * @param earlier steps of the operation's earlier runs, which stay
 * @param save called after each change, not awaited by the run
 */
export function makeStepLog(
  now: () => string,
  earlier: OperationStep[],
  save: (steps: OperationStep[]) => void,
): StepLog {
  const steps = [...earlier]
  return {
    steps: () => steps,
    begin(step, attempt) {
      const row: OperationStep = {
        seq: steps.length + 1,
        kind: step.kind,
        serverId: step.server.id,
        attempt,
        status: 'running',
        startedAt: now(),
        finishedAt: null,
        error: null,
      }
      if (steps.length < maxSteps) steps.push(row)
      save([row])
      return (error) => {
        Object.assign(row, { status: error === null ? 'succeeded' : 'failed', finishedAt: now(), error })
        save([row])
      }
    },
  }
}
