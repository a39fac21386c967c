/** node:sqlite in the shape that Kysely's SqliteDialect wants, with its traps closed. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { SqliteDatabase, SqliteStatement } from 'kysely'

/** Statements kept prepared: more than the store's distinct texts, lists of different length aside. */
const cachedStatements = 400

/** Numbers go to SQLite as doubles: one that is no exact integer would be stored as something else. */
function checkParameter(value: unknown): SQLInputValue {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is no integer that the store can keep exactly`)
  }
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new TypeError(`the store keeps text, integers and null, not ${typeof value}`)
}

const wrap = (statement: StatementSync): SqliteStatement => ({
  // What returns rows has columns; asking the text would miss `insert … returning`.
  reader: statement.columns().length > 0,
  all: (parameters) => statement.all(...parameters.map(checkParameter)),
  run: (parameters) => statement.run(...parameters.map(checkParameter)),
  iterate: (parameters) => statement.iterate(...parameters.map(checkParameter)),
})

/** Prepares each text once; the statement unused for longest goes first. */
export function makePrepare(database: DatabaseSync): (sql: string) => SqliteStatement {
  const cache = new Map<string, SqliteStatement>()
  return (sql) => {
    const known = cache.get(sql)
    if (known !== undefined) {
      cache.delete(sql)
      cache.set(sql, known)
      return known
    }
    const statement = wrap(database.prepare(sql))
    cache.set(sql, statement)
    if (cache.size > cachedStatements) {
      const [oldest] = cache.keys()
      if (oldest !== undefined) cache.delete(oldest)
    }
    return statement
  }
}

/**
 * A database for one function's queries. Once closed every query is refused, also one that was under way inside
 * Kysely: after a rejected Promise.all the others' queries would otherwise land in somebody else's transaction.
 */
export function makeGate(prepare: (sql: string) => SqliteStatement): SqliteDatabase {
  let open = true
  return {
    prepare: (sql) => {
      if (!open) throw new Error('this transaction has ended: await every query inside the function')
      return prepare(sql)
    },
    close: () => {
      open = false
    },
  }
}
