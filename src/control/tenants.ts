import type { CreateTenant, PatchTenant, Tenant } from '../domain/model/tenant.ts'
import { Problem } from '../domain/problem.ts'
import { deleteTenant, findTenantByName, insertTenant, tenantUsage, updateTenant } from '../store/tenants.ts'
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

/** New limits hold for what is asked from now on: nothing that the tenant has is taken away. */
export const makePatchTenant =
  (): UseCase<{ id: string; body: PatchTenant }, Tenant> =>
  async (tx, context, { id, body }) => {
    const tenant = await tenantFor(tx, context.actor, id)
    checkRevision(context, tenant)
    await updateTenant(tx, id, {
      maxInstances: body.max_instances === undefined ? tenant.maxInstances : body.max_instances,
      maxTotalMemoryMb: body.max_total_memory_mb === undefined ? tenant.maxTotalMemoryMb : body.max_total_memory_mb,
      updatedAt: context.now,
    })
    return {
      result: await tenantFor(tx, context.actor, id),
      audit: { action: 'tenant.update', target: id, detail: { ...body } },
    }
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
