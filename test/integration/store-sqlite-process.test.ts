/** What only a process of its own shows: the lock, and what is left after kill -9. */
import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { StoreInUse, StoreUnusable } from '../../src/store/errors.ts'
import { migrations } from '../../src/store/migrate.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { insertTenant, listTenants, tenantUsage } from '../../src/store/tenants.ts'
import { idOf, tenant } from './store-rows.ts'
import { fillInstances, openTemporary, temporaryPath } from './store-sqlite-temp.ts'

type Child = ChildProcessByStdio<null, Readable, null>

const script = fileURLToPath(new URL('./store-sqlite-child.ts', import.meta.url))

function start(t: TestContext, mode: string, path: string): Child {
  const child = spawn(process.execPath, [script, mode, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => kill(child))
  return child
}

async function kill(child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

/** The child's lines until `enough` of them, or its end. */
async function lines(child: Child, enough: number): Promise<string[]> {
  const seen: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    seen.push(line)
    if (seen.length === enough) break
  }
  return seen
}

test('a second process is refused at once; kill -9 of the first frees the file', async (t) => {
  const path = temporaryPath(t)
  const first = start(t, 'hold', path)
  assert.deepEqual(await lines(first, 1), ['open'])
  const startedAt = performance.now()
  await assert.rejects(openSqliteStore({ path, create: true }), (error) => {
    assert.ok(error instanceof StoreInUse)
    assert.equal(error.path, path)
    assert.match(error.message, /valkeep\.db is in use.*valkeep down/)
    return true
  })
  assert.ok(performance.now() - startedAt < 500, 'refused without waiting')
  assert.deepEqual(await lines(start(t, 'hold', path), 2), ['StoreInUse'])
  await kill(first)
  const { store } = await openTemporary(t, { path })
  await store.write((tx) => insertTenant(tx, tenant(1)))
})

test('a second open in one process is refused, and does not take the lock from the first', async (t) => {
  const { store, path } = await openTemporary(t)
  for (let n = 0; n < 2; n++) await assert.rejects(openSqliteStore({ path, create: true }), StoreInUse)
  assert.deepEqual(await lines(start(t, 'hold', path), 2), ['StoreInUse'])
  await store.write((tx) => insertTenant(tx, tenant(1)))
  await store.close()
  const again = await openTemporary(t, { path, create: false })
  assert.equal((await again.store.read((db) => listTenants(db, { limit: 5, cursor: null }))).items.length, 1)
})

test('every write that was acknowledged is there after kill -9', async (t) => {
  const path = temporaryPath(t)
  const child = start(t, 'write', path)
  const acknowledged: number[] = []
  child.stdout.setEncoding('utf8')
  let text = ''
  for await (const chunk of child.stdout) {
    text += chunk
    if (text.split('\n').length > 300) child.kill('SIGKILL')
  }
  acknowledged.push(...text.split('\n').slice(0, -1).map(Number))
  assert.ok(acknowledged.length >= 300)
  const { store } = await openTemporary(t, { path, create: false })
  const kept = new Set<string>()
  for (let cursor: string | null = null; ; ) {
    const page = await store.read((db) => listTenants(db, { limit: 1000, cursor }))
    for (const row of page.items) kept.add(row.id)
    if (page.nextCursor === null) break
    cursor = page.nextCursor
  }
  assert.deepEqual(
    acknowledged.filter((n) => !kept.has(idOf('ten', n))),
    [],
  )
})

test('on a full disk a group fails as one, reads go on, and nothing acknowledged is lost', async (t) => {
  const path = temporaryPath(t)
  // A limit on the size of a file is a full disk that needs no mount; Node ignores the signal, the write fails.
  const shell = `ulimit -f 2000; exec "$0" "$@"`
  const child = spawn('sh', ['-c', shell, process.execPath, script, 'fill', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => kill(child))
  const said = await lines(child, Number.POSITIVE_INFINITY)
  const acknowledged = said.filter((line) => /^\d+$/.test(line))
  assert.ok(acknowledged.length > 10, said.join(' '))
  assert.deepEqual(said.slice(acknowledged.length), [
    'failed CommitFailed',
    'failed CommitFailed',
    `readable ${acknowledged.length}`,
  ])
  const { store } = await openTemporary(t, { path, create: false })
  const { items } = await store.read((db) => listTenants(db, { limit: 10_000, cursor: null }))
  assert.deepEqual(
    items.map((row) => row.id),
    acknowledged.map((n) => idOf('ten', Number(n))),
  )
})

test('a migration killed half-way has not happened, and the next start goes on', async (t) => {
  const path = temporaryPath(t)
  const child = start(t, 'migrate', path)
  assert.deepEqual(await lines(child, 2), ['half-way'])
  const { store } = await openTemporary(t, { path, create: false })
  await store.write((tx) => insertTenant(tx, tenant(1)))
  await store.close()
  const database = new DatabaseSync(path, { readOnly: true })
  t.after(() => database.close())
  assert.equal(database.prepare("select 1 from sqlite_schema where name = 'half'").get(), undefined)
  assert.equal(
    database.prepare('select max(version) as v from schema_version').get()?.['v'],
    migrations.at(-1)?.version,
  )
})

test('the database and its log are their owner’s alone, also where the file was open to others', async (t) => {
  const { store, path } = await openTemporary(t)
  await store.write((tx) => insertTenant(tx, tenant(1)))
  const modes = () =>
    readdirSync(dirname(path)).map((name) => [name, (statSync(`${dirname(path)}/${name}`).mode & 0o777).toString(8)])
  const wanted = [
    ['valkeep.db', '600'],
    ['valkeep.db-wal', '600'],
  ]
  assert.deepEqual(modes().sort(), wanted)
  await store.close()
  chmodSync(path, 0o644)
  const again = await openTemporary(t, { path })
  await again.store.write((tx) => insertTenant(tx, tenant(2)))
  assert.deepEqual(modes().sort(), wanted)
})

test('a file that is not ours is refused and left as it was', async (t) => {
  const unusable = (reason: string) => (error: unknown) => error instanceof StoreUnusable && error.reason === reason
  const path = temporaryPath(t)
  await assert.rejects(openSqliteStore({ path, create: false }), unusable('missing'))
  assert.equal(existsSync(path), false)

  writeFileSync(path, 'just some text, longer than the header of a database file would have to be: '.repeat(20))
  const text = readFileSync(path)
  await assert.rejects(openSqliteStore({ path, create: true }), unusable('not-ours'))
  assert.deepEqual(readFileSync(path), text)

  const other = temporaryPath(t)
  const database = new DatabaseSync(other)
  database.exec('create table notes (text)')
  database.close()
  const bytes = readFileSync(other)
  await assert.rejects(openSqliteStore({ path: other, create: true }), unusable('not-ours'))
  assert.deepEqual(readFileSync(other), bytes)
})

test('a store with 10,000 instances is open at once', async (t) => {
  const { store, path } = await openTemporary(t)
  await store.write((tx) => insertTenant(tx, tenant(1)))
  await store.close()
  const database = new DatabaseSync(path)
  fillInstances(database, 10_000, idOf('ten', 1))
  database.close()
  const timesMs: number[] = []
  for (let n = 0; n < 5; n++) {
    const startedAt = performance.now()
    const again = await openSqliteStore({ path, create: false })
    timesMs.push(performance.now() - startedAt)
    const usage = await again.read((db) => tenantUsage(db, idOf('ten', 1)))
    assert.deepEqual(usage, { instances: 10_000, memoryMb: 640_000 })
    await again.close()
  }
  assert.ok(Math.min(...timesMs) < 60, `opened in ${timesMs.map((ms) => ms.toFixed(1)).join(', ')} ms`)
})
