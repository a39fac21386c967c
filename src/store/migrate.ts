/**
 * Forward-only migrations, each in one transaction together with its row in schema_version: killed at any point, it
 * has happened or it has not. (Kysely's own migrator has no transaction on SQLite.)
 */
import type { Kysely } from 'kysely'
import { StoreUnusable } from './errors.ts'
import type { Connection } from './group-commit.ts'
import type { Migration } from './migration.ts'
import { core } from './migrations/0001-core.ts'

/** In order. A migration that was released is never changed: the next one mends it. */
export const migrations: readonly Migration[] = [core]

type VersionTable = { schema_version: { version: number; name: string } }

const currentVersion = async (db: Kysely<VersionTable>): Promise<number> => {
  const row = await db
    .selectFrom('schema_version')
    .select('version')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.version ?? 0
}

/** Runs `fn` in a transaction. */
const inTransaction = async <T>(connection: Connection, fn: (db: Kysely<VersionTable>) => Promise<T>): Promise<T> => {
  const { tx, end } = connection.session()
  try {
    connection.exec('begin immediate')
    const value = await fn(tx as unknown as Kysely<VersionTable>)
    connection.exec('commit')
    return value
  } catch (error) {
    if (connection.inTransaction()) connection.exec('rollback')
    throw error
  } finally {
    end()
  }
}

/**
 * Brings the schema up to the last of `list`.
 * @param path names the database in errors
 * @throws StoreUnusable where the schema is newer than the list
 */
export async function migrate(connection: Connection, list: readonly Migration[], path: string): Promise<void> {
  const latest = list.at(-1)?.version ?? 0
  const version = await inTransaction(connection, async (db) => {
    await db.schema
      .createTable('schema_version')
      .ifNotExists()
      .addColumn('version', 'integer', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .execute()
    return currentVersion(db)
  })
  if (version > latest) {
    throw new StoreUnusable(
      'too-new',
      `${path} has schema version ${version}, this program knows ${latest}: it was used by a newer valkeep. Run that one.`,
    )
  }
  for (const migration of list.filter((m) => m.version > version)) {
    await inTransaction(connection, async (db) => {
      await migration.up(db as unknown as Kysely<unknown>)
      await db.insertInto('schema_version').values({ version: migration.version, name: migration.name }).execute()
    })
  }
}
