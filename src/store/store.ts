/** The core database as the rest of the house sees it. */
import type { Kysely } from 'kysely'
import type { Database } from './schema.ts'

/** What the queries of a noun take: alive only while the function it was given to runs. */
export type Tx = Kysely<Database>

/**
 * A function given to `read` or `write` uses only its `tx` and awaits nothing else: no network, no file, no other
 * call of the store. One that has not ended after `maxRunMs` is rolled back and reported as `TransactionHung`.
 */
export type Store = {
  /** Runs `fn` on committed rows only, all its queries on one state. What it tries to write is refused. */
  read<T>(fn: (db: Tx) => Promise<T>): Promise<T>
  /**
   * Runs `fn` in a transaction of its own, one after another with all other writes.
   * Resolves when its changes are on disk; rejects with what `fn` threw (nothing of it remains), or with `CommitFailed`.
   */
  write<T>(fn: (tx: Tx) => Promise<T>): Promise<T>
  /** Lets everything that was asked for end, then closes. Later calls reject with `StoreClosed`. */
  close(): Promise<void>
}

export type StoreOptions = {
  /** Told after each commit how many writes it made durable. */
  onCommit?: (writes: number) => void
  /** How long one function may run, in milliseconds; default 5,000. */
  maxRunMs?: number
}
