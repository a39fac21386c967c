/** The platform is killed around every step of changing an instance: live, and by a restart. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { login, runId } from '../support/tenant-client.ts'
import { app, type Case, type Subject, testFailpoints, type World } from './failpoints.ts'

const runIds = new Map<string, string>()

async function prepare(world: World, name: string): Promise<Subject> {
  const subject = await world.make(name)
  await using client = await login(subject.endpoint, app)
  await client.call(['SET', 'kept', name])
  runIds.set(subject.id, await runId(client))
  return subject
}

/** What the valkey.conf of the subject says: it is the only instance beside the neighbour with its port. */
function confOf({ platform }: World, { endpoint }: Subject): string {
  const confs = readdirSync(platform.serversDir)
    .map((id) => join(platform.serversDir, id, 'valkey.conf'))
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
  return confs.find((text) => text.includes(`tls-port "${endpoint.port}"`)) ?? assert.fail('no valkey.conf')
}

/** @param restarts whether the change needs another process */
function update(body: unknown, directive: RegExp, restarts: boolean): Case {
  return {
    kind: 'update',
    prepare,
    ask: ({ platform }, { id }) => platform.ok('PATCH', `/valkey-instances/${id}`, body),
    async verify(world, subject) {
      const row = await world.platform.instance(subject.id)
      assert.deepEqual([row.status, row.health, row.observed_generation], ['active', 'healthy', row.generation])
      await using client = await login(subject.endpoint, app)
      assert.equal(await client.call(['GET', 'kept']), subject.name)
      assert.equal((await runId(client)) !== runIds.get(subject.id), restarts, restarts ? 'not restarted' : 'restarted')
      assert.match(confOf(world, subject), directive)
    },
    leaves: { process: true, files: true },
  }
}

testFailpoints({
  'live update': update({ max_memory_mb: 24, settings: { maxclients: 321 } }, /^maxclients "?321"?$/m, false),
  'update by a restart': update({ settings: { databases: 20 } }, /^databases "?20"?$/m, true),
})
