/** The store in one SQLite file: WAL, synchronous=FULL, one process at a time. */
import { chmodSync, closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { Kysely, SqliteDialect } from 'kysely'
import { StoreInUse, StoreUnusable } from './errors.ts'
import { type Connection, makeGroupCommit } from './group-commit.ts'
import { migrate, migrations } from './migrate.ts'
import type { Migration } from './migration.ts'
import type { Database } from './schema.ts'
import { makeGate, makePrepare } from './sqlite-shim.ts'
import type { Store, StoreOptions } from './store.ts'

/** `vkep`: marks a SQLite file as ours (https://sqlite.org/fileformat.html, application id). */
export const applicationId = 0x766b_6570

/** https://sqlite.org/rescode.html, the low byte. */
const codes = { busy: 5, notADatabase: 26 }

export type SqliteOptions = StoreOptions & {
  /** Absolute path of the database file; `-wal` appears beside it. Both are 0600. */
  path: string
  /** Make the file where there is none. */
  create: boolean
  /** Other than the product's own: for tests of the runner. */
  migrations?: readonly Migration[]
}

const codeOf = (error: unknown): number | undefined => {
  const errcode = error instanceof Error ? (error as Error & { errcode?: unknown }).errcode : undefined
  return typeof errcode === 'number' ? errcode & 0xff : undefined
}

const pragma = (database: DatabaseSync, name: string): unknown => {
  const row = database.prepare(`pragma ${name}`).get()
  return row === undefined ? undefined : Object.values(row)[0]
}

/**
 * Makes the file with its mode, or mends the mode. An existing one is never opened here: closing any descriptor of
 * a file drops all POSIX locks that this process has on it (https://sqlite.org/howtocorrupt.html §2.2).
 */
function prepareFile(path: string, create: boolean): void {
  if (!existsSync(path)) {
    if (!create) throw new StoreUnusable('missing', `${path} does not exist: there is no platform in this directory`)
    try {
      closeSync(openSync(path, 'wx', 0o600))
    } catch (error) {
      // Somebody else made it meanwhile: the lock decides who has it.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  chmodSync(path, 0o600)
}

/** Takes the lock before anything is read, and changes nothing in a file that is not ours. */
function lockAndCheck(database: DatabaseSync, path: string): void {
  // Held from the first access until the process ends, however it ends. With it the WAL needs no shared memory file.
  database.exec('pragma locking_mode = exclusive; begin exclusive')
  if (pragma(database, 'application_id') !== applicationId) {
    const tables = database.prepare('select 1 from sqlite_schema limit 1').get()
    if (tables !== undefined || pragma(database, 'user_version') !== 0) {
      throw new StoreUnusable('not-ours', `${path} is a SQLite database of another program`)
    }
    database.exec(`pragma application_id = ${applicationId}`)
  }
  database.exec('commit')
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: 0, defensive: true, enableForeignKeyConstraints: true })
  try {
    lockAndCheck(database, path)
    const mode = pragma(database, 'journal_mode = wal')
    if (mode !== 'wal') throw new Error(`${path}: SQLite does not keep a write-ahead log here (${String(mode)})`)
    // FULL: a commit is on disk before it is acknowledged. The log shrinks again after a burst of writes.
    database.exec('pragma synchronous = full; pragma temp_store = memory; pragma journal_size_limit = 8388608')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const connect = (database: DatabaseSync): Connection => {
  const prepare = makePrepare(database)
  return {
    session: () => {
      const gate = makeGate(prepare)
      return { tx: new Kysely<Database>({ dialect: new SqliteDialect({ database: gate }) }), end: gate.close }
    },
    exec: (sql) => database.exec(sql),
    inTransaction: () => database.isTransaction,
    close: () => database.close(),
  }
}

/**
 * Opens the store and brings its schema up to date.
 * @throws StoreInUse where the file is open already, in another process or in this one
 * @throws StoreUnusable where it is missing, not ours, or made by a newer version
 */
export async function openSqliteStore(options: SqliteOptions): Promise<Store> {
  const { path } = options
  prepareFile(path, options.create)
  let database: DatabaseSync
  try {
    database = openDatabase(path)
  } catch (error) {
    if (codeOf(error) === codes.busy) throw new StoreInUse(path)
    if (codeOf(error) === codes.notADatabase) throw new StoreUnusable('not-ours', `${path} is not a SQLite database`)
    throw error
  }
  const connection = connect(database)
  try {
    await migrate(connection, options.migrations ?? migrations, path)
  } catch (error) {
    connection.close()
    throw error
  }
  return makeGroupCommit(connection, options)
}
