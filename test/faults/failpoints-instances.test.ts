/** The platform is killed around every step of making, changing, stopping, starting and deleting an instance. */
import assert from 'node:assert/strict'
import { app } from '../support/killable-platform.ts'
import { endpointOf, login, pinged } from '../support/tenant-client.ts'
import { type Case, nobody, type Subject, testFailpoints, type World } from './failpoints.ts'

const get = ({ platform }: World, { id }: Subject) => platform.instance(id)

async function served(world: World, subject: Subject): Promise<void> {
  const instance = await get(world, subject)
  assert.deepEqual([instance.status, instance.health], ['active', 'healthy'])
  assert.equal(instance.observed_generation, instance.generation)
  await pinged(await endpointOf(world.platform, subject.id), app)
}

const ofKind = (
  kind: string,
  method: string,
  path: (id: string) => string,
  body?: unknown,
): Pick<Case, 'kind' | 'ask'> => ({
  kind,
  ask: ({ platform }, { id }) => platform.ok(method, path(id), body),
})
const prepared = { prepare: (world: World, name: string) => world.make(name) }
const runs = { leaves: { process: true, files: true } }

/** Makes an instance that holds a key. */
async function withKey(world: World, name: string): Promise<Subject> {
  const subject = await world.make(name)
  await using client = await login(subject.endpoint, app)
  await client.call(['SET', 'kept', name])
  return subject
}

async function keyKept(subject: Subject): Promise<void> {
  await using client = await login(subject.endpoint, app)
  assert.equal(await client.call(['GET', 'kept']), subject.name)
}

testFailpoints({
  create: {
    kind: 'create',
    prepare: async (_world, name) => ({ name, id: '', endpoint: nobody }),
    ask: ({ platform, tenantId }, { name }) =>
      platform.ok('POST', `/tenants/${tenantId}/valkey-instances`, {
        name,
        max_memory_mb: 16,
        users: [{ ...app, privileges: ['full'] }],
      }),
    verify: served,
    ...runs,
  },
  stop: {
    ...ofKind('stop', 'POST', (id) => `/valkey-instances/${id}/stop`),
    prepare: withKey,
    async verify(world, subject) {
      const { status, health, desired_state } = await get(world, subject)
      assert.deepEqual([status, health, desired_state], ['active', 'stopped', 'stopped'])
      await assert.rejects(login(subject.endpoint, app))
    },
    leaves: { process: false, files: true },
  },
  start: {
    ...ofKind('start', 'POST', (id) => `/valkey-instances/${id}/start`),
    async prepare(world, name) {
      const subject = await withKey(world, name)
      await world.platform.done('POST', `/valkey-instances/${subject.id}/stop`)
      return subject
    },
    async verify(world, subject) {
      await served(world, subject)
      await keyKept(subject)
    },
    ...runs,
  },
  delete: {
    ...ofKind('delete', 'DELETE', (id) => `/valkey-instances/${id}`),
    ...prepared,
    async verify({ platform }, { id, endpoint }) {
      assert.equal((await platform.call('GET', `/valkey-instances/${id}`)).status, 404)
      await assert.rejects(login(endpoint, app))
    },
    leaves: { process: false, files: false },
  },
})
