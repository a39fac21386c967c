import type { ReassignTenant } from '../domain/model/instance.ts'
import { Problem } from '../domain/problem.ts'
import { updateInstance, type NamedInstance } from '../store/instances.ts'
import { moveOperations } from '../store/operation-history.ts'
import { findTenant } from '../store/tenants.ts'
import { checkRevision, instanceFor, refuseDoomed } from './access.ts'
import { checkLimits } from './capacity.ts'
import { checkNameFree } from './create-instance.ts'
import type { UseCase } from './use-case.ts'

/** Metadata only, and at once: nothing of the running instance changes. Its operations go with it. */
export const makeReassignTenant =
  (): UseCase<{ id: string; body: ReassignTenant }, NamedInstance> =>
  async (tx, context, { id, body }) => {
    const instance = await instanceFor(tx, context.actor, id)
    checkRevision(context, instance)
    await refuseDoomed(tx, instance)
    const to = body.tenant_id
    const audit = { action: 'instance.reassign', target: id, detail: { from: instance.tenantId, to } }
    if (to === instance.tenantId) return { result: instance, audit }
    if (to !== null) {
      const tenant = await findTenant(tx, to)
      if (tenant === undefined) {
        const detail = 'there is no such tenant'
        throw new Problem('invalid', `/tenant_id: ${detail}`, {
          errors: [{ pointer: '/tenant_id', code: 'unknown', detail }],
        })
      }
      await checkLimits(tx, tenant, { instances: 1, memoryMb: instance.maxMemoryMb })
    }
    await checkNameFree(tx, to, instance.name)
    await updateInstance(tx, id, { tenantId: to, updatedAt: context.now })
    await moveOperations(tx, id, to)
    return { result: await instanceFor(tx, context.actor, id), audit }
  }
