/** A process of its own on a store, for tests that kill it: `MODE PATH`. Says what it has done on stdout, line by line. */
import { writeSync } from 'node:fs'
import { migrations } from '../../src/store/migrate.ts'
import type { Migration } from '../../src/store/migration.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { insertTenant, listTenants } from '../../src/store/tenants.ts'
import { tenant } from './store-rows.ts'

const [mode, path = ''] = process.argv.slice(2)
/** Synchronous: what was said before the kill has been said. */
const say = (line: string) => writeSync(1, `${line}\n`)

/** Opens the store and keeps it. */
async function hold(): Promise<void> {
  try {
    await openSqliteStore({ path, create: true })
  } catch (error) {
    say((error as Error).name)
    return
  }
  say('open')
  setInterval(() => {}, 60_000)
}

/** Writes for ever, eight at a time, and says the number of each write that was acknowledged. */
async function write(): Promise<void> {
  const store = await openSqliteStore({ path, create: true })
  let next = 0
  const one = async (): Promise<void> => {
    const n = next++
    await store.write((tx) => insertTenant(tx, tenant(n)))
    say(String(n))
    return one()
  }
  await Promise.all(Array.from({ length: 8 }, one))
}

/** Is killed in the middle of a migration. */
async function migrate(): Promise<void> {
  const version = (migrations.at(-1)?.version ?? 0) + 1
  const deadly: Migration = {
    version,
    name: 'deadly',
    async up(db) {
      await db.schema.createTable('half').addColumn('id', 'text').execute()
      say('half-way')
      process.kill(process.pid, 'SIGKILL')
    },
  }
  await openSqliteStore({ path, create: true, migrations: [...migrations, deadly] })
}

/** Writes 20 KiB at a time, in pairs, until the disk takes no more; then says what it can still read. */
async function fill(): Promise<void> {
  const store = await openSqliteStore({ path, create: true })
  for (let n = 0, failed = false; !failed; n += 2) {
    const pair = [n, n + 1].map((id) =>
      store.write((tx) => insertTenant(tx, tenant(id, { name: `${id}-${'x'.repeat(20_000)}` }))),
    )
    const results = await Promise.allSettled(pair)
    for (const [index, result] of results.entries()) {
      failed ||= result.status === 'rejected'
      say(result.status === 'fulfilled' ? String(n + index) : `failed ${(result.reason as Error).name}`)
    }
  }
  const { items } = await store.read((db) => listTenants(db, { limit: 10_000, cursor: null }))
  say(`readable ${items.length}`)
  process.kill(process.pid, 'SIGKILL')
}

const modes: Record<string, () => Promise<void>> = { hold, write, migrate, fill }
await modes[mode ?? '']?.()
