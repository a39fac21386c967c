/** The steps of one run as people see them on its operations. A report only: recovery never reads it. */
import type { OperationStep } from '../../domain/model/operation.ts'
import type { Step } from '../../domain/plan/step.ts'

/** Most steps kept of one run; one that needs more is not converging. */
const maxSteps = 200
/** A step is shown while it is under way if it takes longer; each write costs a sync of the disk. */
const showAfterMs = 100

export type StepLog = {
  /** Reports a step's begin; what it returns reports its end. */
  begin(step: Step, attempt: number): (error: string | null) => void
  /** What was not saved yet, for a write that is made anyway; it counts as saved. */
  take(): OperationStep[]
}

/** @param save writes the steps, each over the one with its `seq`; not awaited by the run */
export function makeStepLog(now: () => string, save: (steps: OperationStep[]) => void): StepLog {
  const unsaved = new Map<number, OperationStep>()
  let count = 0
  let timer: NodeJS.Timeout | undefined

  function take(): OperationStep[] {
    clearTimeout(timer)
    timer = undefined
    const steps = [...unsaved.values()]
    unsaved.clear()
    return steps
  }

  function report(row: OperationStep): void {
    unsaved.set(row.seq, row)
    timer ??= setTimeout(() => save(take()), showAfterMs)
  }

  return {
    begin(step, attempt) {
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
      report(row)
      return (error) => report({ ...row, status: error === null ? 'succeeded' : 'failed', finishedAt: now(), error })
    },
    take,
  }
}
