/** The platform is killed around every step of making, changing and deleting a user. */
import assert from 'node:assert/strict'
import type { ValkeyConnection } from '../../src/valkey/client.ts'
import { app } from '../support/killable-platform.ts'
import { login } from '../support/tenant-client.ts'
import { type Case, type Subject, testFailpoints, type World } from './failpoints.ts'

type User = { id: string; username: string; status: string; generation: number; observed_generation: number }

const old = { username: 'ann', password: 'the-password-of-before-1' }
const changed = { username: 'ann', password: 'the-password-of-after-22' }

const listUsers = async ({ platform }: World, { id }: Subject) =>
  (await platform.ok<{ items: User[] }>('GET', `/valkey-instances/${id}/users`)).items

const find = async (world: World, subject: Subject) =>
  (await listUsers(world, subject)).find(({ username }) => username === 'ann') ?? assert.fail('no ann')

const annsBody = { ...old, privileges: ['read-only'], key_pattern: '~a:*' }

async function withUser(world: World, name: string): Promise<Subject> {
  const subject = await world.make(name)
  await world.platform.done('POST', `/valkey-instances/${subject.id}/users`, annsBody)
  return subject
}

async function applied(world: World, subject: Subject, usernames: string[]): Promise<void> {
  const users = await listUsers(world, subject)
  assert.deepEqual(users.map(({ username }) => username).toSorted(), usernames)
  for (const user of users)
    assert.deepEqual([user.status, user.observed_generation], ['active', user.generation], user.username)
}

const may = async (client: ValkeyConnection, ...command: string[]) => client.call(command)
const mayNot = (client: ValkeyConnection, ...command: string[]) =>
  assert.rejects(client.call(command), /NOPERM|no permissions/i)

const leaves = { process: true, files: true }

const cases: Record<string, Case> = {
  'user create': {
    kind: 'user-create',
    prepare: (world, name) => world.make(name),
    ask: ({ platform }, { id }) => platform.ok('POST', `/valkey-instances/${id}/users`, annsBody),
    async verify(world, subject) {
      await applied(world, subject, ['ann', 'app'])
      await using client = await login(subject.endpoint, old)
      await may(client, 'GET', 'a:1')
      await mayNot(client, 'SET', 'a:1', 'x')
      await mayNot(client, 'GET', 'b:1')
    },
    leaves,
  },
  'user update': {
    kind: 'user-update',
    prepare: withUser,
    async ask(world, subject) {
      const { id } = await find(world, subject)
      const body = { password: changed.password, privileges: ['read-write'], key_pattern: '~b:*' }
      return world.platform.ok('PUT', `/valkey-users/${id}`, body)
    },
    async verify(world, subject) {
      await applied(world, subject, ['ann', 'app'])
      await assert.rejects(login(subject.endpoint, old), /WRONGPASS/)
      await using client = await login(subject.endpoint, changed)
      await may(client, 'SET', 'b:1', 'x')
      await mayNot(client, 'GET', 'a:1')
    },
    leaves,
  },
  'user delete': {
    kind: 'user-delete',
    prepare: withUser,
    async ask(world, subject) {
      const { id } = await find(world, subject)
      return world.platform.ok('DELETE', `/valkey-users/${id}`)
    },
    async verify(world, subject) {
      await applied(world, subject, ['app'])
      await assert.rejects(login(subject.endpoint, old), /WRONGPASS/)
      await using client = await login(subject.endpoint, app)
      await may(client, 'PING')
    },
    leaves,
  },
}

testFailpoints(cases)
