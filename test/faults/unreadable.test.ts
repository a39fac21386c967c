/** What cannot be looked at: an operation on it ends, says why, and can be retried. */
import assert from 'node:assert/strict'
import { mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { serverLayout } from '../../src/domain/server-plan.ts'
import { serversOfInstances } from '../../src/store/servers.ts'
import { usersOfInstance } from '../../src/store/users.ts'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'

type Operation = { status: string; cause: { code: string; message: string } | null }

async function settled(platform: TestPlatform, answer: { headers: Headers; text: string }): Promise<Operation> {
  const location = answer.headers.get('location') ?? assert.fail(answer.text)
  return (await platform.call<Operation>('GET', `${location}/wait?timeout_s=20`)).body
}

test('an operation ends with the cause where the server’s files cannot be read', async () => {
  const platform = await startTestPlatform()
  try {
    const created = await platform.call<{ id: string }>('POST', `/tenants/${platform.tenantId}/valkey-instances`, {
      body: { name: 'unreadable' },
    })
    await platform.done(created)
    const path = `/valkey-instances/${created.body.id}`
    await platform.done(await platform.call('POST', `${path}/stop`))
    const [server] = await platform.running.platform.store.read((db) => serversOfInstances(db, [created.body.id]))
    assert.ok(server)
    const { conf } = serverLayout(join(platform.home, 'servers'), join(platform.home, 'run'), server.id)
    rmSync(conf)
    mkdirSync(conf)
    const failed = await settled(platform, await platform.call('POST', `${path}/start`))
    assert.deepEqual([failed.status, failed.cause?.code], ['failed', 'node-refused'])
    assert.match(failed.cause?.message ?? '', /^observe: EISDIR/)
    rmdirSync(conf)
    await platform.done(await platform.call('POST', `${path}/retry`))
  } finally {
    await platform.close()
  }
})

test('an operation ends with the cause where a secret is damaged, and a delete needs none', async () => {
  const platform = await startTestPlatform()
  try {
    const created = await platform.call<{ id: string }>('POST', `/tenants/${platform.tenantId}/valkey-instances`, {
      body: { name: 'damaged', users: [{ username: 'app', privileges: ['read-only'] }] },
    })
    await platform.done(created)
    const { store } = platform.running.platform
    await store.write(async (tx) => {
      const [user] = await usersOfInstance(tx, created.body.id)
      assert.ok(user)
      await tx.updateTable('secrets').set({ blob: 'AAAA' }).where('id', '=', user.passwordSecretId).execute()
    })
    const failed = await settled(platform, await platform.call('POST', `/valkey-instances/${created.body.id}/stop`))
    assert.deepEqual([failed.status, failed.cause?.code], ['failed', 'malformed'])
    await platform.done(await platform.call('DELETE', `/valkey-instances/${created.body.id}`))
  } finally {
    await platform.close()
  }
})
