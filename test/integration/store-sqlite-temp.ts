import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { TestContext } from 'node:test'
import { openSqliteStore, type SqliteOptions } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'

/** A directory of its own, removed after the test. @returns the path of a database that is not there yet */
export function temporaryPath(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-store-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return join(dir, 'valkeep.db')
}

/** A new store in a directory of its own; both are gone after the test. */
export async function openTemporary(
  t: TestContext,
  options: Partial<SqliteOptions> = {},
): Promise<{ store: Store; path: string }> {
  const path = options.path ?? temporaryPath(t)
  const store = await openSqliteStore({ path, create: true, ...options })
  t.after(() => store.close())
  return { store, path }
}

/** Inserts instances 1 to `count`, all of one tenant, with 64 MiB each. */
export function fillInstances(database: DatabaseSync, count: number, tenantId: string): void {
  database.exec(`
    insert into instances (id, tenant_id, name, settings, status, health, desired_state, engine_version,
      created_at, updated_at, port, max_memory_mb, deletion_protection, generation, observed_generation,
      ever_active, revision)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
    select printf('ins_%032x', i), '${tenantId}', 'name-' || i, '{}', 'active', 'healthy', 'running', '8.0.1',
      '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', 20000, 64, 0, 1, 1, 1, 1 from n`)
}
