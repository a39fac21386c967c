import type { Selectable } from 'kysely'
import type { ApiKey } from '../domain/model/api-key.ts'
import { type Listed, listed, type Page, pageStart, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

const list = 'api-keys'

const toApiKey = (row: Selectable<Database['api_keys']>): ApiKey => ({
  ...fromRow(row),
  scopes: JSON.parse(row.scopes) as ApiKey['scopes'],
})

export async function insertApiKey(tx: Tx, key: ApiKey): Promise<void> {
  await tx.insertInto('api_keys').values(toRow(key)).execute()
}

export async function findApiKey(tx: Tx, id: string): Promise<ApiKey | undefined> {
  const row = await tx.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toApiKey(row)
}

/** @param keyHash SHA-256 of the key, lower-case hex */
export async function findApiKeyByHash(tx: Tx, keyHash: string): Promise<ApiKey | undefined> {
  const row = await tx.selectFrom('api_keys').selectAll().where('key_hash', '=', keyHash).executeTakeFirst()
  return row && toApiKey(row)
}

/** Oldest first. @throws BadCursor */
export async function listApiKeys(tx: Tx, page: Page): Promise<Listed<ApiKey>> {
  const rows = await tx
    .selectFrom('api_keys')
    .selectAll()
    .where('id', '>', pageStart(list, page))
    .orderBy('id')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, rows.map(toApiKey))
}

export async function deleteApiKey(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('api_keys').where('id', '=', id).execute()
}
