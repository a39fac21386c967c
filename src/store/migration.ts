import type { Kysely } from 'kysely'

/** One step of the schema. */
export type Migration = {
  /** 1, 2, 3 … without a gap. */
  version: number
  name: string
  /** Only through Kysely's schema builder, or SQL that SQLite and PostgreSQL both read. */
  up(db: Kysely<unknown>): Promise<void>
}
