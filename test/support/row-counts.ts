import { sql } from 'kysely'
import type { Store } from '../../src/store/store.ts'

/** How many rows each table has: equal before and after whatever must write nothing. @param except tables left out */
export function rowCounts(store: Store, except: readonly string[] = []): Promise<Record<string, number>> {
  return store.read(async (db) => {
    const tables = await sql<{
      name: string
    }>`select name from sqlite_schema where type = 'table' order by name`.execute(db)
    const counts: Record<string, number> = {}
    for (const { name } of tables.rows) {
      if (except.includes(name)) continue
      const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(name)}`.execute(db)
      counts[name] = Number(rows[0]?.n)
    }
    return counts
  })
}
