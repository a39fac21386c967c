import type { ApiKey, CreateApiKey } from '../domain/model/api-key.ts'
import { Problem } from '../domain/problem.ts'
import { deleteApiKey, findApiKey, insertApiKey } from '../store/api-keys.ts'
import { findTenant } from '../store/tenants.ts'
import { sha256Hex } from '../vault/random.ts'
import { checkRevision } from './access.ts'
import type { ControlDeps } from './deps.ts'
import type { UseCase } from './use-case.ts'

const invalid = (pointer: string, code: string, detail: string) =>
  new Problem('invalid', `${pointer}: ${detail}`, { errors: [{ pointer, code, detail }] })

/** The key itself is in this answer only; what is kept is its SHA-256. */
export const makeCreateApiKey =
  (deps: ControlDeps): UseCase<CreateApiKey, ApiKey> =>
  async (tx, context, body) => {
    const tenantId = body.tenant_id ?? null
    if (tenantId !== null && (await findTenant(tx, tenantId)) === undefined) {
      throw invalid('/tenant_id', 'unknown', 'there is no such tenant')
    }
    const expiresAt = body.expires_at ? new Date(body.expires_at).toISOString() : null
    if (expiresAt !== null && expiresAt <= context.now) throw invalid('/expires_at', 'past', 'lies in the past')
    const key = deps.randomApiKey()
    const row: ApiKey = {
      id: deps.newId('apiKey'),
      name: body.name,
      keyHash: sha256Hex(key),
      scopes: [...new Set(body.scopes)],
      tenantId,
      expiresAt,
      createdAt: context.now,
      revision: 1,
    }
    await insertApiKey(tx, row)
    const detail = { name: row.name, scopes: row.scopes, tenantId, expiresAt }
    return { result: row, once: { key }, audit: { action: 'api-key.create', target: row.id, detail } }
  }

/** At once: the next request with it is refused. The key that asks cannot delete itself: nobody locks themselves out. */
export const makeDeleteApiKey =
  (): UseCase<{ id: string }, null> =>
  async (tx, context, { id }) => {
    const key = await findApiKey(tx, id)
    if (key === undefined) throw new Problem('not-found', 'There is no such API key.')
    checkRevision(context, key)
    if (id === context.actor.apiKeyId) throw new Problem('wrong-state', 'A key cannot delete itself; use another one.')
    await deleteApiKey(tx, id)
    return { result: null, audit: { action: 'api-key.delete', target: id, detail: { name: key.name } } }
  }
