/**
 * Both ways of start: fresh, and from every earlier version, kept as dumps in test/golden/schema with a row of each noun.
 * VALKEEP_UPDATE_GOLDEN=1 writes the latest one anew; those of earlier versions never change.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { StoreUnusable } from '../../src/store/errors.ts'
import { migrations } from '../../src/store/migrate.ts'
import type { Migration } from '../../src/store/migration.ts'
import { findOperation } from '../../src/store/operations.ts'
import { applicationId, openSqliteStore } from '../../src/store/sqlite.ts'
import { insertTenant, listTenants } from '../../src/store/tenants.ts'
import { findUser } from '../../src/store/users.ts'
import { idOf, operation, step, tenant, user } from './store-rows.ts'
import { insertOneOfEach } from './store-sample.ts'
import { openTemporary, temporaryPath } from './store-sqlite-temp.ts'

const goldenDir = fileURLToPath(new URL('../golden/schema/', import.meta.url))
const latest = migrations.at(-1)?.version ?? 0
const goldenOf = (version: number) => join(goldenDir, `${String(version).padStart(4, '0')}.sql`)

type Master = { type: string; name: string; sql: string }
const master = (database: DatabaseSync) =>
  database.prepare('select type, name, sql from sqlite_schema where sql is not null order by name').all() as Master[]

/** Everything in the file as SQL that makes it again. */
function dump(database: DatabaseSync): string {
  const objects = master(database)
  const ofType = (type: string) => objects.filter((o) => o.type === type)
  const rows = ofType('table').flatMap(({ name }) => {
    const columns = database
      .prepare(`pragma table_info(${name})`)
      .all()
      .map((c) => `"${String(c['name'])}"`)
    const values = columns.map((column) => `quote(${column})`).join(" || ', ' || ")
    return database
      .prepare(`select ${values} as row from ${name} order by 1`)
      .all()
      .map((r) => `insert into ${name} (${columns.join(', ')}) values (${String(r['row'])});`)
  })
  const statements = [...ofType('table'), ...ofType('index')].map(({ sql }) => `${sql};`)
  return `${[`pragma application_id = ${applicationId};`, 'pragma foreign_keys = off;', ...statements, ...rows].join('\n')}\n`
}

/** Tables by column and indexes by definition: what has to be the same however the file came to be. */
const shape = (database: DatabaseSync) =>
  master(database).map(({ type, name, sql }) => ({
    name,
    as: type === 'table' ? database.prepare(`pragma table_xinfo(${name})`).all() : sql,
    references: database.prepare(`pragma foreign_key_list(${name})`).all(),
  }))

function inspect<T>(path: string, fn: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(path)
  try {
    return fn(database)
  } finally {
    database.close()
  }
}

test('a fresh start makes what the latest dump says', async (t) => {
  const { store, path } = await openTemporary(t)
  await store.write(insertOneOfEach)
  await store.close()
  const text = inspect(path, dump)
  if (process.env['VALKEEP_UPDATE_GOLDEN'] === '1') writeFileSync(goldenOf(latest), text)
  assert.equal(text, readFileSync(goldenOf(latest), 'utf8'))
})

test('migrations are numbered without a gap, and each version has its dump', () => {
  assert.deepEqual(
    migrations.map((m) => m.version),
    migrations.map((_, n) => n + 1),
  )
  for (const { version } of migrations) assert.ok(existsSync(goldenOf(version)), goldenOf(version))
})

for (const file of readdirSync(goldenDir)) {
  test(`from ${file} to the latest: the schema of a fresh start, and every row is kept`, async (t) => {
    const path = temporaryPath(t)
    inspect(path, (database) => database.exec(readFileSync(join(goldenDir, file), 'utf8')))
    const { store } = await openTemporary(t, { path, create: false })
    await store.read(async (db) => {
      const wanted = { ...operation(1, { userId: idOf('usr', 1) }), steps: [step(1)] }
      assert.deepEqual(await findOperation(db, idOf('op', 1)), wanted)
      assert.deepEqual(await findUser(db, idOf('usr', 1)), user(1))
      assert.equal((await listTenants(db, { limit: 9, cursor: null })).items[0]?.name, 'tenant-1')
    })
    await store.close()
    const fresh = await openTemporary(t)
    await fresh.store.close()
    assert.deepEqual(inspect(path, shape), inspect(fresh.path, shape))
    const broken = inspect(path, (database) => database.prepare('pragma foreign_key_check').all())
    assert.deepEqual(broken, [])
  })
}

const extra = (up: Migration['up']): Migration[] => [...migrations, { version: latest + 1, name: 'extra', up }]

test('a newer version is refused, and nothing changes', async (t) => {
  const { store, path } = await openTemporary(t, { migrations: extra(async () => {}) })
  await store.write((tx) => insertTenant(tx, tenant(1)))
  await store.close()
  const before = inspect(path, dump)
  await assert.rejects(openSqliteStore({ path, create: true }), (error) => {
    assert.ok(error instanceof StoreUnusable)
    assert.equal(error.reason, 'too-new')
    assert.match(error.message, new RegExp(`version ${latest + 1}, this program knows ${latest}`))
    return true
  })
  assert.equal(inspect(path, dump), before)
})

test('a migration that fails leaves nothing behind and the file free; it runs once when it works', async (t) => {
  const { store, path } = await openTemporary(t)
  await store.write((tx) => insertTenant(tx, tenant(1)))
  await store.close()
  const before = inspect(path, dump)
  let runs = 0
  const addTable: Migration['up'] = async (db) => {
    runs++
    await db.schema.createTable('extra').addColumn('id', 'text').execute()
    if (runs === 1) throw new Error('no luck')
  }
  await assert.rejects(openSqliteStore({ path, create: false, migrations: extra(addTable) }), /no luck/)
  assert.equal(inspect(path, dump), before)
  for (let n = 0; n < 2; n++) {
    const opened = await openSqliteStore({ path, create: false, migrations: extra(addTable) })
    const rows = await opened.read((db) => listTenants(db, { limit: 9, cursor: null }))
    assert.equal(rows.items.length, 1)
    await opened.close()
  }
  assert.equal(runs, 2)
})
