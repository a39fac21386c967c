/**
 * Reads and writes of one connection. Writes commit in groups, so that one fsync serves many of them.
 *
 * Why one connection: SQLite runs on this thread, so a second one would not make a read any sooner while a statement
 * runs, and with one the file's lock can be exclusive. Reads run together between two groups, before the next one
 * begins, and a group is bounded by count and time: a read waits for one group at most.
 */
import { setImmediate } from 'node:timers/promises'
import { CommitFailed, StoreClosed, TransactionHung } from './errors.ts'
import type { Store, StoreOptions, Tx } from './store.ts'

const maxGroupWrites = 64
const maxGroupMs = 15

/** What a group needs of a database. All synchronous, as SQLite is. */
export type Connection = {
  /** A Kysely of its own for one function; `end` refuses all later queries through it. */
  session(): { tx: Tx; end: () => void }
  /** Runs a statement without parameters or rows. */
  exec(sql: string): void
  /** Some errors (a full disk among them) end SQLite's transaction by themselves. */
  inTransaction(): boolean
  close(): void
}

type Job = { fn: (tx: Tx) => Promise<unknown>; resolve: (value: unknown) => void; reject: (error: unknown) => void }
type Outcome = { job: Job; end: { ok: true; value: unknown } | { ok: false; error: unknown } }

const runTimed = async (connection: Connection, job: Job, maxRunMs: number): Promise<unknown> => {
  const { tx, end } = connection.session()
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new TransactionHung(maxRunMs)), maxRunMs)
  try {
    return await Promise.race([job.fn(tx), late.promise])
  } finally {
    clearTimeout(timer)
    end()
  }
}

/** Runs one write in a savepoint of its own. @throws only where the whole transaction is lost */
const runWrite = async (connection: Connection, job: Job, maxRunMs: number): Promise<Outcome> => {
  connection.exec('savepoint one_write')
  let end: Outcome['end']
  try {
    end = { ok: true, value: await runTimed(connection, job, maxRunMs) }
  } catch (error) {
    end = { ok: false, error }
  }
  if (!connection.inTransaction()) throw end.ok ? new Error('the transaction was ended by a query') : end.error
  if (!end.ok) connection.exec('rollback to one_write')
  connection.exec('release one_write')
  return { job, end }
}

/** Takes writes from the queue until the group is full or its time is up, and commits them together. */
const runGroup = async (connection: Connection, queue: Job[], maxRunMs: number): Promise<number> => {
  const taken: Job[] = []
  const outcomes: Outcome[] = []
  const startedAt = performance.now()
  try {
    const first = queue.shift()
    if (first === undefined) return 0
    taken.push(first)
    connection.exec('begin immediate')
    for (let job: Job | undefined = first; job !== undefined; ) {
      outcomes.push(await runWrite(connection, job, maxRunMs))
      const room = taken.length < maxGroupWrites && performance.now() - startedAt < maxGroupMs
      job = room ? queue.shift() : undefined
      if (job !== undefined) taken.push(job)
    }
    connection.exec('commit')
  } catch (error) {
    if (connection.inTransaction()) connection.exec('rollback')
    for (const job of taken) job.reject(new CommitFailed(error))
    return 0
  }
  // Failures too are told only now: they may rest on rows of the same group.
  for (const { job, end } of outcomes) {
    if (end.ok) job.resolve(end.value)
    else job.reject(end.error)
  }
  return outcomes.filter((outcome) => outcome.end.ok).length
}

/** Makes the store over one connection. */
export function makeGroupCommit(connection: Connection, options: StoreOptions = {}): Store {
  const { onCommit, maxRunMs = 5000 } = options
  const reads: Job[] = []
  const writes: Job[] = []
  let running: Promise<void> | null = null
  let closed = false

  const runReads = async () => {
    if (reads.length === 0) return
    connection.exec('pragma query_only = 1')
    await Promise.all(reads.splice(0).map((job) => runTimed(connection, job, maxRunMs).then(job.resolve, job.reject)))
    connection.exec('pragma query_only = 0')
  }
  const run = async () => {
    while (reads.length + writes.length > 0) {
      // Lets the event loop hand over all requests that have arrived: they share the group.
      if (writes.length > 0) await setImmediate()
      await runReads()
      if (writes.length === 0) continue
      const count = await runGroup(connection, writes, maxRunMs)
      if (count > 0) onCommit?.(count)
    }
    running = null
  }
  const enqueue = <T>(queue: Job[], fn: (tx: Tx) => Promise<T>): Promise<T> => {
    if (closed) return Promise.reject(new StoreClosed())
    return new Promise<T>((resolve, reject) => {
      queue.push({ fn, resolve: (value) => resolve(value as T), reject })
      running ??= run()
    })
  }

  return {
    read: (fn) => enqueue(reads, fn),
    write: (fn) => enqueue(writes, fn),
    close: async () => {
      if (closed) return
      closed = true
      await running
      connection.close()
    },
  }
}
