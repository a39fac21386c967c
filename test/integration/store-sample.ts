import { insertApiKey } from '../../src/store/api-keys.ts'
import { insertAuditRow } from '../../src/store/audit.ts'
import { insertAuthority } from '../../src/store/authorities.ts'
import { insertAnswer } from '../../src/store/idempotency.ts'
import { setFact } from '../../src/store/installation.ts'
import { insertInstance } from '../../src/store/instances.ts'
import { insertNode } from '../../src/store/nodes.ts'
import { insertOperation, saveSteps } from '../../src/store/operations.ts'
import { allocatePort } from '../../src/store/ports.ts'
import { insertSecrets } from '../../src/store/secrets.ts'
import { insertServer } from '../../src/store/servers.ts'
import { insertShard } from '../../src/store/shards.ts'
import type { Tx } from '../../src/store/store.ts'
import { insertTenant } from '../../src/store/tenants.ts'
import { insertUser } from '../../src/store/users.ts'
import {
  apiKey,
  at,
  auditRow,
  idOf,
  instance,
  node,
  operation,
  server,
  shard,
  step,
  tenant,
  user,
} from './store-rows.ts'

/** One row in every table. */
export async function insertOneOfEach(tx: Tx): Promise<void> {
  await insertTenant(tx, tenant(1))
  await insertNode(tx, node(1))
  await insertShard(tx, shard(1, [idOf('nod', 1)]))
  await insertInstance(tx, instance(1, { tenantId: idOf('ten', 1), shardId: idOf('shd', 1) }))
  await allocatePort(tx, idOf('nod', 1), idOf('srv', 1), at(0))
  await insertServer(tx, server(1))
  await insertUser(tx, user(1))
  await insertOperation(tx, operation(1, { userId: idOf('usr', 1) }))
  await saveSteps(tx, idOf('op', 1), [step(1)])
  await insertSecrets(tx, [{ id: idOf('sec', 1), keyId: 'k1', blob: 'sealed', createdAt: at(0) }])
  const authority = { id: idOf('sec', 9), certPem: 'pem', keySecretId: idOf('sec', 1) }
  await insertAuthority(tx, { ...authority, notAfter: at(9), createdAt: at(0) })
  await insertApiKey(tx, apiKey(1))
  const answer = { apiKeyId: idOf('key', 1), key: 'k', fingerprint: 'f', status: 202, headers: {}, body: '{}' }
  await insertAnswer(tx, { ...answer, createdAt: at(0) })
  await insertAuditRow(tx, auditRow(1))
  await setFact(tx, 'id', 'installation-1')
}
