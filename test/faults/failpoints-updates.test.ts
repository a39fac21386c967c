/** The platform is killed around every step of changing an instance: live, and by a restart. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { app } from '../support/killable-platform.ts'
import { login, runId } from '../support/tenant-client.ts'
import { type Case, type Subject, testFailpoints, type World } from './failpoints.ts'

const runIds = new Map<string, string>()

async function prepare(world: World, name: string): Promise<Subject> {
  const subject = await world.make(name)
  await using client = await login(subject.endpoint, app)
  await client.call(['SET', 'kept', name])
  runIds.set(subject.id, await runId(client))
  return subject
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
      const { layout } = world.platform.serverOf(subject.id)
      assert.match(readFileSync(layout.conf, 'utf8'), directive)
    },
    leaves: { process: true, files: true },
  }
}

testFailpoints({
  'live update': update({ max_memory_mb: 24, settings: { maxclients: 321 } }, /^maxclients "?321"?$/m, false),
  'update by a restart': update({ settings: { databases: 20 } }, /^databases "?20"?$/m, true),
})
