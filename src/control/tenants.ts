import type { CreateTenant, Tenant } from '../domain/model/tenant.ts'
import { Problem } from '../domain/problem.ts'
import { deleteTenant, findTenantByName, insertTenant, tenantUsage } from '../store/tenants.ts'
import { checkRevision, tenantFor } from './access.ts'
import type { ControlDeps } from './deps.ts'
import { nameTaken } from './name-taken.ts'
import type { UseCase } from './use-case.ts'

export const makeCreateTenant =
  (deps: ControlDeps): UseCase<CreateTenant, Tenant> =>
  async (tx, context, body) => {
    if (await findTenantByName(tx, body.name)) throw nameTaken('tenant', body.name)
    const tenant: Tenant = {
      id: deps.newId('tenant'),
      name: body.name,
      maxInstances: body.max_instances ?? null,
      maxTotalMemoryMb: body.max_total_memory_mb ?? null,
      createdAt: context.now,
      updatedAt: context.now,
      revision: 1,
    }
    await insertTenant(tx, tenant)
    return { result: tenant, audit: { action: 'tenant.create', target: tenant.id, detail: { name: body.name } } }
  }

/** Only a tenant without instances; its API keys end with it. */
export const makeDeleteTenant =
  (): UseCase<{ id: string }, null> =>
  async (tx, context, { id }) => {
    const tenant = await tenantFor(tx, context.actor, id)
    checkRevision(context, tenant)
    const used = await tenantUsage(tx, id)
    if (used.instances > 0) throw new Problem('not-empty', `The tenant has ${used.instances} instances.`)
    await deleteTenant(tx, id)
    return { result: null, audit: { action: 'tenant.delete', target: id, detail: { name: tenant.name } } }
  }
