import { transition } from '../domain/lifecycle.ts'
import type { CreateUser, UpdateUser, User } from '../domain/model/user.ts'
import { Problem } from '../domain/problem.ts'
import { deleteSecrets, findSecrets, insertSecrets } from '../store/secrets.ts'
import { findUserByName, updateUser } from '../store/users.ts'
import type { Tx } from '../store/store.ts'
import { checkRevision, instanceFor, refuseDeleting, refuseDoomed, refuseDoomedUser, userFor } from './access.ts'
import type { ControlDeps } from './deps.ts'
import {
  canonicalChannelPattern,
  canonicalKeyPattern,
  canonicalPrivileges,
  insertUser,
  sealPassword,
} from './new-user.ts'
import { openOperation, supersede } from './open-operation.ts'
import type { Context, UseCase } from './use-case.ts'

/** A pending user; its password, where it was generated, is shown once. */
export const makeCreateUser =
  (deps: ControlDeps): UseCase<{ instanceId: string; body: CreateUser }, User> =>
  async (tx, context, { instanceId, body }) => {
    const instance = await instanceFor(tx, context.actor, instanceId)
    await refuseDoomed(tx, instance)
    if (await findUserByName(tx, instanceId, body.username)) {
      throw new Problem('name-taken', `A user of this instance is named ${body.username}.`, {
        errors: [{ pointer: '/username', code: 'taken', detail: 'taken within the instance' }],
      })
    }
    const { user, generated } = await insertUser(deps, tx, context, instance, {
      username: body.username,
      password: body.password,
      privileges: body.privileges,
      keyPattern: body.key_pattern ?? '~*',
      channelPattern: body.channel_pattern ?? null,
      kind: 'tenant',
      expiresAt: null,
    })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind: 'user-create',
      userId: user.id,
      targetGeneration: 1,
    })
    return {
      result: user,
      ...(generated === null ? {} : { once: { password: generated } }),
      operationId,
      wake: instanceId,
      audit: { action: 'user.create', target: user.id, detail: { instanceId, username: user.username } },
    }
  }

/** Only what the body carries. @throws Problem invalid */
function changedFields(body: UpdateUser, engineVersion: string): Partial<User> {
  return {
    ...(body.privileges === undefined
      ? {}
      : { privileges: canonicalPrivileges(body.privileges, engineVersion, '/privileges') }),
    ...(body.key_pattern === undefined ? {} : { keyPattern: canonicalKeyPattern(body.key_pattern, '/key_pattern') }),
    ...(body.channel_pattern === undefined
      ? {}
      : { channelPattern: canonicalChannelPattern(body.channel_pattern, '/channel_pattern') }),
  }
}

/** Seals a new password in the old one's place. @returns the old one, still sealed, so that a cancel can put it back */
async function replacePassword(deps: ControlDeps, tx: Tx, context: Context, user: User, password: string) {
  const old = (await findSecrets(tx, [user.passwordSecretId])).get(user.passwordSecretId)
  await deleteSecrets(tx, [user.passwordSecretId])
  const sealed = sealPassword(deps, password, user.passwordSecretId)
  await insertSecrets(tx, [{ id: user.passwordSecretId, ...sealed, createdAt: context.now }])
  return old === undefined ? {} : { password: { keyId: old.keyId, blob: old.blob } }
}

/** A new generation of a user. */
export const makeUpdateUser =
  (deps: ControlDeps): UseCase<{ id: string; body: UpdateUser }, User> =>
  async (tx, context, { id, body }) => {
    const { user, instance } = await userFor(tx, context.actor, id)
    checkRevision(context, user)
    await refuseDoomed(tx, instance)
    await refuseDoomedUser(tx, user)
    if (user.kind === 'session') throw new Problem('wrong-state', 'A session cannot be changed; begin another one.')
    const fields = changedFields(body, instance.engineVersion)
    const undo = {
      privileges: user.privileges,
      keyPattern: user.keyPattern,
      channelPattern: user.channelPattern,
      ...(body.password === undefined ? {} : await replacePassword(deps, tx, context, user, body.password)),
    }
    const generation = user.generation + 1
    await updateUser(tx, id, { ...fields, generation, updatedAt: context.now })
    await supersede(tx, context, { instanceId: instance.id, userId: id, kinds: ['user-update'] })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind: 'user-update',
      userId: id,
      targetGeneration: generation,
      undo,
    })
    return {
      result: (await userFor(tx, context.actor, id)).user,
      operationId,
      wake: instance.id,
      audit: { action: 'user.update', target: id, detail: { fields: Object.keys(body) } },
    }
  }

/** Final, and possible from every state but deleting. Drops the user's connections. Ends a session too. */
export const makeDeleteUser =
  (deps: ControlDeps): UseCase<{ id: string }, User> =>
  async (tx, context, { id }) => {
    const { user, instance } = await userFor(tx, context.actor, id)
    checkRevision(context, user)
    await refuseDoomed(tx, instance)
    refuseDeleting('user', user)
    const generation = user.generation + 1
    const status = transition(user.status, 'delete')
    await updateUser(tx, id, { status, statusMessage: null, generation, updatedAt: context.now })
    await supersede(tx, context, { instanceId: instance.id, userId: id })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind: user.kind === 'session' ? 'session-end' : 'user-delete',
      userId: id,
      targetGeneration: generation,
    })
    return {
      result: (await userFor(tx, context.actor, id)).user,
      operationId,
      wake: instance.id,
      audit: { action: 'user.delete', target: id, detail: { instanceId: instance.id, username: user.username } },
    }
  }
