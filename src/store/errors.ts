/** What can go wrong with the store itself. */

/** Another process, or another part of this one, has the file open. */
export class StoreInUse extends Error {
  readonly path: string
  constructor(path: string) {
    super(
      `${path} is in use: another platform runs on this data directory. ` +
        'Stop that one (valkeep down) or choose another directory with VALKEEP_HOME.',
    )
    this.name = 'StoreInUse'
    this.path = path
  }
}

export type UnusableReason = 'missing' | 'not-ours' | 'too-new'

/** The file is not one that this version can work with; nothing in it was changed. */
export class StoreUnusable extends Error {
  readonly reason: UnusableReason
  constructor(reason: UnusableReason, message: string) {
    super(message)
    this.name = 'StoreUnusable'
    this.reason = reason
  }
}

/** A function given to the store did not end in time: it was rolled back, and its later queries are refused. */
export class TransactionHung extends Error {
  constructor(maxRunMs: number) {
    super(
      `a function given to the store was still running after ${maxRunMs} ms: ` +
        'it may await nothing but its own queries (no network, no other call of the store)',
    )
    this.name = 'TransactionHung'
  }
}

/** A group of writes could not be made durable: none of them happened. The cause is the database's error. */
export class CommitFailed extends Error {
  constructor(cause: unknown) {
    super(`the database could not commit: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.name = 'CommitFailed'
  }
}

export class StoreClosed extends Error {
  constructor() {
    super('the store is closed')
    this.name = 'StoreClosed'
  }
}

/** https://sqlite.org/rescode.html: SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY. */
const sqliteUnique = new Set([2067, 1555])

/** Whether `error` says that a unique constraint was broken: a name, a port or a key is taken. */
export function isUniqueViolation(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { errcode } = error as Error & { errcode?: unknown }
  return typeof errcode === 'number' && sqliteUnique.has(errcode)
}
