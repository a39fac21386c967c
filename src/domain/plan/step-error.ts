import type { CauseCode } from '../cause.ts'

/**
 * Why a step failed, for a person who has to act on it. Thrown by runtimes and agents; becomes an operation's cause.
 * Neither the message nor a reason ever holds a secret or a command's arguments.
 */
export class StepError extends Error {
  readonly code: CauseCode
  readonly remedy: string | undefined
  /** Of set-users: why each user named was not applied. Those not named were. */
  readonly users: Record<string, string> | undefined

  constructor(code: CauseCode, message: string, extra: { remedy?: string; users?: Record<string, string> } = {}) {
    super(message)
    this.name = 'StepError'
    this.code = code
    this.remedy = extra.remedy
    this.users = extra.users
  }
}
