import assert from 'node:assert/strict'
import { join } from 'node:path'
import { findSecrets } from '../../src/store/secrets.ts'
import { serversOfInstances } from '../../src/store/servers.ts'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import type { TestPlatform } from './platform.ts'

/** A connection to an instance's server as the platform's own admin: what a test asks the server itself. */
export async function connectAsAdmin({ running, home }: TestPlatform, instanceId: string): Promise<ValkeyConnection> {
  const { store, control } = running.platform
  const { server, sealed } = await store.read(async (db) => {
    const [server] = await serversOfInstances(db, [instanceId])
    assert.ok(server)
    return { server, sealed: (await findSecrets(db, [server.adminSecretId])).get(server.adminSecretId) }
  })
  assert.ok(sealed)
  return connect({
    socket: { path: join(home, 'run', `${server.id}.sock`) },
    username: 'valkeep-admin',
    password: control.vault.unseal(sealed, server.adminSecretId).toString(),
    timeoutMs: 10_000,
  })
}
