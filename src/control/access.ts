/** What an actor may see. Another tenant's things, deleted ones and those that never were are all the same: 404. */
import type { Tenant } from '../domain/model/tenant.ts'
import type { User } from '../domain/model/user.ts'
import { Problem } from '../domain/problem.ts'
import { findInstance, type NamedInstance } from '../store/instances.ts'
import { findOperation, type OperationWithSteps } from '../store/operations.ts'
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

/** @throws Problem wrong-state where it is on its way out: that is final */
export function refuseDoomed(noun: string, row: { status: string }): void {
  if (row.status === 'deleting') throw new Problem('wrong-state', `The ${noun} is being deleted.`)
}
