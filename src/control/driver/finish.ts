/** The writes that end a run. Rows may have moved on meanwhile: only what was really observed is recorded. */
import { transition } from '../../domain/lifecycle.ts'
import type { Cause } from '../../domain/model/common.ts'
import type { Operation } from '../../domain/model/operation.ts'
import type { User } from '../../domain/model/user.ts'
import { healthOf } from '../../domain/plan/health.ts'
import { insertAuditRow } from '../../store/audit.ts'
import { findAnyInstance, setInstanceHealth, updateInstance } from '../../store/instances.ts'
import { addReserved } from '../../store/nodes.ts'
import { findOperation, openOperations, updateOperation } from '../../store/operations.ts'
import { releasePort } from '../../store/ports.ts'
import { deleteSecrets } from '../../store/secrets.ts'
import { deleteServer, updateServer } from '../../store/servers.ts'
import type { Tx } from '../../store/store.ts'
import { findUser, updateUser } from '../../store/users.ts'
import { servedUsers } from '../spec.ts'
import type { Look } from './attempt.ts'
import type { Loaded } from './load.ts'

export type FinishDeps = { now: () => string; newId: (noun: 'audit') => string; portCooldownMs: number }

/** What was asked for at the generations of `loaded` is served. */
export async function finishConverged(deps: FinishDeps, tx: Tx, loaded: Loaded, seen: Look): Promise<void> {
  const now = deps.now()
  if (loaded.doomed) return finishDeleted(deps, tx, loaded, now)
  const instance = await findAnyInstance(tx, loaded.instance.id)
  if (!instance) return
  const open = new Set((await openOperations(tx, instance.id)).map(({ id }) => id))
  // All of it was cancelled or superseded meanwhile: nobody asks for what was seen any more.
  if (!loaded.open.some(({ id }) => open.has(id))) return
  const current = instance.generation === loaded.instance.generation
  const ends = instance.status === 'provisioning' && current
  await updateInstance(tx, instance.id, {
    ...(ends ? { status: transition(instance.status, 'converge'), statusMessage: null } : {}),
    observedGeneration: loaded.instance.generation,
    ...(await recordVersions(tx, loaded, seen)),
    everActive: instance.everActive || loaded.instance.desiredState === 'running',
    updatedAt: now,
  })
  await setInstanceHealth(tx, instance.id, healthOf(seen.spec, seen.observed))
  for (const user of loaded.users) await finishUser(tx, loaded, user, now)
  for (const operation of loaded.open) await end(deps, tx, operation, 'succeeded', null, now)
}

/** A patch release under our feet is of the same series and harmless, but it is not silent: the rows say what runs. */
async function recordVersions(tx: Tx, loaded: Loaded, seen: Look): Promise<{ engineVersion?: string }> {
  let primary: string | undefined
  for (const server of loaded.servers) {
    const version = seen.observed.servers[server.id]?.live?.version
    if (version === undefined || version === server.engineVersion) continue
    await updateServer(tx, server.id, { engineVersion: version })
    if (server.role === 'primary') primary = version
  }
  return primary === undefined ? {} : { engineVersion: primary }
}

async function finishUser(tx: Tx, loaded: Loaded, user: User, now: string): Promise<void> {
  const present = await findUser(tx, user.id)
  if (!present) return
  if (loaded.doomedUsers.has(user.id)) {
    await updateUser(tx, user.id, { status: 'deleted', statusMessage: null, deletedAt: now, updatedAt: now })
    await deleteSecrets(tx, [user.passwordSecretId])
    return
  }
  if (present.observedGeneration === user.generation && present.status === 'active') return
  if (!servedUsers(loaded).includes(user)) return
  const current = present.generation === user.generation
  const asleep = present.status === 'pending' || present.status === 'failed'
  const status = asleep ? transition(present.status, 'begin') : present.status
  await updateUser(tx, user.id, {
    ...(current && status === 'provisioning' ? { status: transition(status, 'converge'), statusMessage: null } : {}),
    observedGeneration: user.generation,
    updatedAt: now,
  })
}

/** Nothing is left on any node: the rows go, the port cools down, the instance's row and operations stay readable. */
async function finishDeleted(deps: FinishDeps, tx: Tx, loaded: Loaded, now: string): Promise<void> {
  const freeAfter = new Date(Date.parse(now) + deps.portCooldownMs).toISOString()
  for (const server of loaded.servers) {
    await releasePort(tx, server.nodeId, server.port, freeAfter)
    await addReserved(tx, server.nodeId, -loaded.instance.maxMemoryMb)
    await deleteServer(tx, server.id)
  }
  const secretIds = [
    ...loaded.users.map((user) => user.passwordSecretId),
    ...loaded.servers.flatMap((s) => [s.adminSecretId, s.replicationSecretId, s.monitorSecretId]),
    ...loaded.servers.flatMap((s) => s.certificate?.keySecretId ?? []),
  ]
  for (const user of loaded.users) await updateUser(tx, user.id, { status: 'deleted', deletedAt: now, updatedAt: now })
  await deleteSecrets(tx, secretIds)
  await updateInstance(tx, loaded.instance.id, {
    status: transition('deleting', 'vanish'),
    statusMessage: null,
    observedGeneration: loaded.instance.generation,
    deletedAt: now,
    updatedAt: now,
  })
  for (const operation of loaded.open) await end(deps, tx, operation, 'succeeded', null, now)
}

/** An attempt failed and another follows: its cause is told meanwhile. */
export async function countAttempt(deps: FinishDeps, tx: Tx, loaded: Loaded, cause: Cause): Promise<void> {
  for (const { id } of loaded.open) {
    const present = await findOperation(tx, id)
    if (present?.status !== 'running') continue
    await updateOperation(tx, id, { attempts: present.attempts + 1, cause, updatedAt: deps.now() })
  }
}

/**
 * Attempts are used up. Where only users could not be applied, they fail alone and the rest goes on.
 * @param failedUsers username → reason, as the set-users step reported
 * @returns whether the instance itself was given up
 */
export async function finishFailed(
  deps: FinishDeps,
  tx: Tx,
  loaded: Loaded,
  cause: Cause,
  failedUsers: Record<string, string>,
): Promise<boolean> {
  const now = deps.now()
  const alone = loaded.users.filter((user) => user.username in failedUsers)
  const failing = alone.length > 0 ? alone : loaded.users.filter((u) => loaded.open.some((o) => o.userId === u.id))
  for (const user of failing) {
    const own = { ...cause, message: failedUsers[user.username] ?? cause.message }
    await failUser(tx, user, own, alone.length > 0, now)
    for (const operation of loaded.open.filter((o) => o.userId === user.id))
      await end(deps, tx, operation, 'failed', own, now)
  }
  if (alone.length > 0) return false
  for (const operation of loaded.open.filter((o) => o.userId === null))
    await end(deps, tx, operation, 'failed', cause, now)
  await failInstance(tx, loaded, cause, now)
  return true
}

async function failUser(tx: Tx, user: User, cause: Cause, held: boolean, now: string): Promise<void> {
  const present = await findUser(tx, user.id)
  if (!present || present.generation !== user.generation) return
  // One that was active and drifted fails too: left active, it would be set and refused again for ever.
  const from = present.status === 'active' ? transition(present.status, 'begin') : present.status
  if (from !== 'provisioning' && from !== 'deleting') return
  const status = transition(from, 'give-up')
  await updateUser(tx, user.id, { status, statusMessage: sentence(cause), held, updatedAt: now })
}

async function failInstance(tx: Tx, loaded: Loaded, cause: Cause, now: string): Promise<void> {
  const instance = await findAnyInstance(tx, loaded.instance.id)
  if (!instance || instance.generation !== loaded.instance.generation) return
  if (instance.status !== 'provisioning' && instance.status !== 'deleting') return
  const status = transition(instance.status, 'give-up')
  await updateInstance(tx, instance.id, { status, statusMessage: sentence(cause), updatedAt: now })
}

/** As a status message: what happened, and what to do. */
export const sentence = (cause: Cause) =>
  cause.remedy ? `${cause.message}. To do: ${cause.remedy}.` : `${cause.message}.`

async function end(
  deps: FinishDeps,
  tx: Tx,
  operation: Operation,
  status: 'succeeded' | 'failed',
  cause: Cause | null,
  now: string,
): Promise<void> {
  const present = await findOperation(tx, operation.id)
  if (!present || (present.status !== 'running' && present.status !== 'pending')) return
  const attempts = present.attempts + 1
  await updateOperation(tx, operation.id, { status, cause, attempts, undo: null, finishedAt: now, updatedAt: now })
  await insertAuditRow(tx, {
    id: deps.newId('audit'),
    at: now,
    actor: operation.actor,
    action: `operation.${operation.kind}`,
    target: operation.userId ?? operation.instanceId,
    outcome: status === 'succeeded' ? 'done' : 'failed',
    requestId: operation.requestId,
    detail: cause ? { code: cause.code } : null,
  })
}
