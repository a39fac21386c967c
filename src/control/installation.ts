/** What an installation has from its first start on: tenant, node and shard, an admin key, a certificate authority. */
import type { ApiKey } from '../domain/model/api-key.ts'
import { type Noun, scopes } from '../domain/model/common.ts'
import type { Node } from '../domain/model/node.ts'
import type { Vault } from '../domain/ports/vault.ts'
import { insertApiKey } from '../store/api-keys.ts'
import { insertAuthority, listAuthorities } from '../store/authorities.ts'
import { getFact, setFact } from '../store/installation.ts'
import { findNodeByName, insertNode, updateNode } from '../store/nodes.ts'
import { findSecrets, insertSecrets } from '../store/secrets.ts'
import { insertShard } from '../store/shards.ts'
import type { Store, Tx } from '../store/store.ts'
import { insertTenant } from '../store/tenants.ts'
import type { Authority } from '../vault/authority.ts'
import { randomApiKey, sha256Hex } from '../vault/random.ts'

/** Ten years: an authority ends long after the machine; a bundle lets a successor be trusted beside it. */
const authorityDays = 3_650

export type LocalNode = Pick<Node, 'address' | 'capacityMb' | 'portMin' | 'portMax'>

export type InstallationDeps = {
  store: Store
  vault: Vault
  newId: (noun: Noun) => string
  now: () => string
}

/** Whether this data directory was never started on. */
export const isNew = async (store: Store): Promise<boolean> =>
  (await store.read((db) => getFact(db, 'id'))) === undefined

/**
 * Makes the installation, all of it or nothing.
 * @param keepKey puts the admin key where its owner finds it; called before the commit, so that a key in the
 *   store is always one that somebody has, and a file left by a killed start is overwritten by the next
 */
export async function createInstallation(
  deps: InstallationDeps,
  node: LocalNode,
  keepKey: (key: string) => void,
): Promise<void> {
  const now = deps.now()
  const key = randomApiKey()
  // Loaded here: later starts have no use for it, and it takes a while.
  const { createAuthority } = await import('../vault/authority.ts')
  const authority = await createAuthority({
    subject: [{ type: 'CN', value: 'Valkeep CA' }],
    notBefore: new Date(now),
    days: authorityDays,
  })
  keepKey(key)
  await deps.store.write(async (tx) => {
    const stamps = { createdAt: now, updatedAt: now, revision: 1 }
    const nodeId = deps.newId('node')
    await setFact(tx, 'id', deps.newId('node').slice(4))
    await insertTenant(tx, {
      id: deps.newId('tenant'),
      name: 'default',
      maxInstances: null,
      maxTotalMemoryMb: null,
      ...stamps,
    })
    await insertNode(tx, { id: nodeId, name: 'local', agent: 'local', ...node, ...stamps })
    await insertShard(tx, { id: deps.newId('shard'), name: 'local', role: 'valkey', nodeIds: [nodeId], ...stamps })
    await insertApiKey(tx, adminKey(deps, key, now))
    await keepAuthority(deps, tx, authority, now)
  })
}

const adminKey = (deps: InstallationDeps, key: string, now: string): ApiKey => ({
  id: deps.newId('apiKey'),
  name: 'admin',
  keyHash: sha256Hex(key),
  scopes: [...scopes],
  tenantId: null,
  expiresAt: null,
  createdAt: now,
  revision: 1,
})

async function keepAuthority(deps: InstallationDeps, tx: Tx, authority: Authority, now: string): Promise<void> {
  const keySecretId = deps.newId('secret')
  await insertSecrets(tx, [{ id: keySecretId, ...deps.vault.seal(authority.keyPem, keySecretId), createdAt: now }])
  const notAfter = new Date(Date.parse(now) + authorityDays * 86_400_000).toISOString()
  await insertAuthority(tx, {
    id: deps.newId('secret'),
    certPem: authority.certPem,
    keySecretId,
    notAfter,
    createdAt: now,
  })
}

/** Every authority, newest first: the first issues, all of them are trusted. */
export async function loadAuthorities(deps: InstallationDeps): Promise<Authority[]> {
  const { rows, sealed } = await deps.store.read(async (db) => {
    const rows = await listAuthorities(db)
    return {
      rows,
      sealed: await findSecrets(
        db,
        rows.map((row) => row.keySecretId),
      ),
    }
  })
  return rows.map((row) => {
    const secret = sealed.get(row.keySecretId)
    if (!secret) throw new Error(`the key of authority ${row.id} is missing from the store`)
    return { certPem: row.certPem, keyPem: deps.vault.unseal(secret, row.keySecretId).toString() }
  })
}

/** The local node's row follows the settings of this start. */
export async function syncLocalNode(deps: InstallationDeps, wanted: LocalNode): Promise<Node> {
  const found = await deps.store.read((db) => findNodeByName(db, 'local'))
  if (!found) throw new Error('the node `local` is missing from the store')
  const same = (Object.keys(wanted) as (keyof LocalNode)[]).every((key) => found[key] === wanted[key])
  if (same) return found
  await deps.store.write((tx) => updateNode(tx, found.id, { ...wanted, updatedAt: deps.now() }))
  return { ...found, ...wanted }
}
