/** What an actor may see. Another tenant's things, deleted ones and those that never were are all the same: 404. */
import type { Instance } from '../domain/model/instance.ts'
import type { Tenant } from '../domain/model/tenant.ts'
import type { User } from '../domain/model/user.ts'
import { Problem } from '../domain/problem.ts'
import { findInstance, type NamedInstance } from '../store/instances.ts'
import { deletesOfInstance, findOperation, type OperationWithSteps } from '../store/operations.ts'
import { findTenant } from '../store/tenants.ts'
import { findUser } from '../store/users.ts'
import type { Tx } from '../store/store.ts'
import type { Actor, Context } from './use-case.ts'

const notFound = (noun: string) => new Problem('not-found', `There is no such ${noun}, or the key may not see it.`)

/** Whether things of this tenant (null: detached ones) are the actor's to see. */
export const sees = (actor: Actor, tenantId: string | null): boolean =>
  actor.tenantId === null || actor.tenantId === tenantId

/** @throws Problem not-found */
export async function tenantFor(db: Tx, actor: Actor, id: string): Promise<Tenant> {
  const tenant = sees(actor, id) ? await findTenant(db, id) : undefined
  if (tenant === undefined) throw notFound('tenant')
  return tenant
}

/** @throws Problem not-found */
export async function instanceFor(db: Tx, actor: Actor, id: string): Promise<NamedInstance> {
  const instance = await findInstance(db, id)
  if (instance === undefined || !sees(actor, instance.tenantId)) throw notFound('instance')
  return instance
}

/** @throws Problem not-found */
export async function userFor(db: Tx, actor: Actor, id: string): Promise<{ user: User; instance: NamedInstance }> {
  const user = await findUser(db, id)
  const instance = user === undefined ? undefined : await findInstance(db, user.instanceId)
  if (user === undefined || instance === undefined || !sees(actor, instance.tenantId)) throw notFound('user')
  return { user, instance }
}

/** Operations stay readable when what they changed is gone. @throws Problem not-found */
export async function operationFor(db: Tx, actor: Actor, id: string): Promise<OperationWithSteps> {
  const operation = await findOperation(db, id)
  if (operation === undefined || !sees(actor, operation.tenantId)) throw notFound('operation')
  return operation
}

/** @throws Problem precondition-failed where the caller's change is based on another revision */
export function checkRevision(context: Context, row: { revision: number }): void {
  if (context.ifMatch === null || context.ifMatch.includes(row.revision)) return
  throw new Problem('precondition-failed', `Its ETag is "${row.revision}" now.`)
}

const doomed = (noun: string, status: string) =>
  new Problem(
    'wrong-state',
    status === 'deleting'
      ? `The ${noun} is being deleted.`
      : `The deletion of the ${noun} failed, and is final: retry it.`,
  )

/** @throws Problem wrong-state where its deletion was asked for, even if that failed: it is final */
export async function refuseDoomed(db: Tx, instance: Instance): Promise<void> {
  if (instance.status === 'deleting') throw doomed('instance', instance.status)
  if (instance.status !== 'failed') return
  const deletes = await deletesOfInstance(db, instance.id)
  if (deletes.some(({ userId }) => userId === null)) throw doomed('instance', instance.status)
}

/** The same for a user, on an instance that is not doomed itself. */
export async function refuseDoomedUser(db: Tx, user: User): Promise<void> {
  if (user.status === 'deleting') throw doomed('user', user.status)
  if (user.status !== 'failed') return
  const deletes = await deletesOfInstance(db, user.instanceId)
  if (deletes.some(({ userId }) => userId === user.id)) throw doomed('user', user.status)
}

/** @throws Problem wrong-state: a deletion that is under way is not asked for twice; one that failed may be */
export function refuseDeleting(noun: string, row: { status: string }): void {
  if (row.status === 'deleting') throw doomed(noun, row.status)
}
