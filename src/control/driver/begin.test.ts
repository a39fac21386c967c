import assert from 'node:assert/strict'
import { it } from 'node:test'
import { at, idOf, instance, node, operation, server } from '../../../test/integration/store-rows.ts'
import { openTemporary } from '../../../test/integration/store-sqlite-temp.ts'
import { insertInstance } from '../../store/instances.ts'
import { insertNode } from '../../store/nodes.ts'
import { insertOperation } from '../../store/operations.ts'
import { findSecrets } from '../../store/secrets.ts'
import { insertServer } from '../../store/servers.ts'
import { beginRun } from './begin.ts'
import { loadInstance } from './load.ts'

const issued = (secret: number) => ({
  serverId: idOf('srv', 1),
  secretId: idOf('sec', secret),
  sealed: { keyId: 'k', blob: `b${secret}` },
  certificate: { pem: `pem ${secret}`, fingerprint: 'f'.repeat(64), notAfter: at(9) },
})

it('hands on the certificate that it stored, and leaves no key of an earlier one behind', async (t) => {
  const { store } = await openTemporary(t)
  await store.write(async (tx) => {
    await insertNode(tx, node(1))
    await insertInstance(tx, instance(1))
    await insertServer(tx, server(1))
    await insertOperation(tx, operation(1, { kind: 'create' }))
  })
  for (const secret of [101, 102]) {
    const rows = await store.write(async (tx) => {
      const loaded = await loadInstance(tx, idOf('ins', 1))
      assert.ok(loaded)
      return beginRun(tx, loaded, [issued(secret)], at(1))
    })
    assert.deepEqual(
      [rows.servers[0]?.certificate?.keySecretId, rows.open[0]?.status, rows.instance.status],
      [idOf('sec', secret), 'running', 'provisioning'],
    )
  }
  const kept = await store.read((db) => findSecrets(db, [idOf('sec', 101), idOf('sec', 102)]))
  assert.deepEqual([...kept.keys()], [idOf('sec', 102)])
})
