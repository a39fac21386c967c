import type { Timestamp } from '../domain/model/common.ts'
import { fromRow, toRow } from './row.ts'
import type { Tx } from './store.ts'

/** The first answer to a request with an idempotency key, secrets left out. */
export type IdempotentAnswer = {
  apiKeyId: string
  key: string
  /** SHA-256 (hex) of method, path and body. */
  fingerprint: string
  status: number
  headers: Record<string, string>
  body: string
  createdAt: Timestamp
}

export async function findAnswer(tx: Tx, apiKeyId: string, key: string): Promise<IdempotentAnswer | undefined> {
  const row = await tx
    .selectFrom('idempotency')
    .selectAll()
    .where('api_key_id', '=', apiKeyId)
    .where('key', '=', key)
    .executeTakeFirst()
  return row && { ...fromRow(row), headers: JSON.parse(row.headers) as Record<string, string> }
}

/** @throws a unique violation where the key was used */
export async function insertAnswer(tx: Tx, answer: IdempotentAnswer): Promise<void> {
  await tx.insertInto('idempotency').values(toRow(answer)).execute()
}

export async function deleteAnswersBefore(tx: Tx, before: Timestamp): Promise<void> {
  await tx.deleteFrom('idempotency').where('created_at', '<', before).execute()
}
