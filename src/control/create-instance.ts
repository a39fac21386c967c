import type { CreateInstance, Instance } from '../domain/model/instance.ts'
import type { CreateUser } from '../domain/model/user.ts'
import { type FieldError, Problem } from '../domain/problem.ts'
import { findInstanceByName, insertInstance, type NamedInstance } from '../store/instances.ts'
import { insertSecrets } from '../store/secrets.ts'
import { insertServer as insertServerRow } from '../store/servers.ts'
import type { Tx } from '../store/store.ts'
import { tenantFor } from './access.ts'
import { checkLimits } from './capacity.ts'
import type { ControlDeps } from './deps.ts'
import { insertUser } from './new-user.ts'
import { openOperation } from './open-operation.ts'
import { place } from './place.ts'
import type { Context, UseCase } from './use-case.ts'

const defaultMemoryMb = 64

/** @throws Problem name-taken */
export async function checkNameFree(tx: Tx, tenantId: string | null, name: string): Promise<void> {
  // Detached instances have no tenant to be unique in.
  if (tenantId !== null && (await findInstanceByName(tx, tenantId, name))) {
    throw new Problem('name-taken', `An instance of this tenant is named ${name}.`, {
      errors: [{ pointer: '/name', code: 'taken', detail: 'taken within the tenant' }],
    })
  }
}

/** @throws Problem invalid where two of the nested users have one name */
function checkDistinct(users: readonly CreateUser[]): void {
  const seen = new Set<string>()
  const errors: FieldError[] = []
  for (const [index, { username }] of users.entries()) {
    if (seen.has(username)) {
      errors.push({ pointer: `/users/${index}/username`, code: 'duplicate', detail: 'another user has this name' })
    }
    seen.add(username)
  }
  if (errors.length > 0) throw new Problem('invalid', 'Two users have one name.', { errors })
}

/** The platform's own three passwords on a server, generated, sealed and never shown. */
async function insertServer(
  deps: ControlDeps,
  tx: Tx,
  context: Context,
  row: { id: string; instanceId: string; nodeId: string; port: number; engineVersion: string },
): Promise<void> {
  const secret = async () => {
    const id = deps.newId('secret')
    await insertSecrets(tx, [{ id, ...deps.vault.seal(deps.randomPassword(), id), createdAt: context.now }])
    return id
  }
  await insertServerRow(tx, {
    ...row,
    role: 'primary',
    adminSecretId: await secret(),
    replicationSecretId: await secret(),
    monitorSecretId: await secret(),
    certificate: null,
    createdAt: context.now,
  })
}

const newInstance = (
  fields: Pick<Instance, 'id' | 'tenantId' | 'name' | 'shardId' | 'port' | 'maxMemoryMb' | 'engineVersion'>,
  now: string,
): Instance => ({
  ...fields,
  settings: {},
  status: 'pending',
  statusMessage: null,
  health: 'unknown',
  desiredState: 'running',
  deletionProtection: false,
  generation: 1,
  observedGeneration: 0,
  everActive: false,
  createdAt: now,
  updatedAt: now,
  deletedAt: null,
  revision: 1,
})

/** Everything of a new instance in one transaction; what cannot be placed writes nothing. */
export const makeCreateInstance =
  (deps: ControlDeps): UseCase<{ tenantId: string; body: CreateInstance }, NamedInstance> =>
  async (tx, context, { tenantId, body }) => {
    const tenant = await tenantFor(tx, context.actor, tenantId)
    const nested = body.users ?? []
    checkDistinct(nested)
    await checkNameFree(tx, tenant.id, body.name)
    const maxMemoryMb = body.max_memory_mb ?? defaultMemoryMb
    await checkLimits(tx, tenant, { instances: 1, memoryMb: maxMemoryMb })
    const [id, serverId] = [deps.newId('instance'), deps.newId('server')]
    const placed = await place(deps, tx, {
      shardId: body.shard_id,
      memoryMb: maxMemoryMb,
      serverId,
      now: context.now,
    })
    const { shard, node, port, engineVersion } = placed
    const fields = { id, tenantId: tenant.id, name: body.name, shardId: shard.id, port, maxMemoryMb, engineVersion }
    const instance = newInstance(fields, context.now)
    await insertInstance(tx, instance)
    await insertServer(deps, tx, context, { id: serverId, instanceId: id, nodeId: node.id, port, engineVersion })
    const generated: { id: string; username: string; password: string }[] = []
    for (const [index, asked] of nested.entries()) {
      const fields = {
        username: asked.username,
        password: asked.password,
        privileges: asked.privileges,
        keyPattern: asked.key_pattern ?? '~*',
        channelPattern: asked.channel_pattern ?? null,
        kind: 'tenant',
        expiresAt: null,
      } as const
      const { user, generated: password } = await insertUser(deps, tx, context, instance, fields, `/users/${index}`)
      if (password !== null) generated.push({ id: user.id, username: user.username, password })
    }
    const operationId = await openOperation(deps, tx, context, instance, { kind: 'create', targetGeneration: 1 })
    return {
      result: { ...instance, shardName: shard.name },
      ...(generated.length > 0 ? { once: { users: generated } } : {}),
      operationId,
      wake: id,
      audit: { action: 'instance.create', target: id, detail: { name: body.name, maxMemoryMb, users: nested.length } },
    }
  }
