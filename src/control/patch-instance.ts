import { harmfulChanges, type InstanceSettings, unsupportedSettings } from '../domain/conf/settings.ts'
import type { Instance, PatchInstance } from '../domain/model/instance.ts'
import { Problem } from '../domain/problem.ts'
import { updateInstance, type NamedInstance } from '../store/instances.ts'
import { findTenant } from '../store/tenants.ts'
import type { Tx } from '../store/store.ts'
import { checkRevision, instanceFor, refuseDoomed } from './access.ts'
import { checkLimits, reserveMore } from './capacity.ts'
import type { ControlDeps } from './deps.ts'
import { openOperation, supersede } from './open-operation.ts'
import type { UseCase } from './use-case.ts'

/** Memory within the node's and the tenant's room. @throws Problem no-room, limit-reached */
export async function resize(tx: Tx, deps: ControlDeps, instance: Instance, maxMemoryMb: number): Promise<void> {
  const deltaMb = maxMemoryMb - instance.maxMemoryMb
  const tenant = instance.tenantId === null ? undefined : await findTenant(tx, instance.tenantId)
  if (tenant !== undefined) await checkLimits(tx, tenant, { instances: 0, memoryMb: deltaMb })
  await reserveMore(tx, deps.overcommit, instance.id, deltaMb)
}

/** @throws Problem invalid naming each setting that the engine does not know, or whose change would cost data */
function checkSettings(instance: Instance, given: InstanceSettings): void {
  const { engineVersion, settings } = instance
  const unknown = unsupportedSettings(given, engineVersion).map((name) => ({
    pointer: `/settings/${name}`,
    code: 'too_new',
    detail: `Valkey ${engineVersion} does not know it`,
  }))
  const harmful = harmfulChanges(settings, { ...settings, ...given }).map((name) => ({
    pointer: `/settings/${name}`,
    code: 'would_lose_data',
    detail: 'it can only grow: keys beyond it would be lost',
  }))
  const errors = [...unknown, ...harmful]
  if (errors.length > 0) throw new Problem('invalid', `${errors[0]?.pointer}: ${errors[0]?.detail}`, { errors })
}

/**
 * Changes what the body carries. Memory and settings make a new generation and an operation;
 * `deletion_protection` alone is a fact of the row: nothing has to be done for it.
 */
export const makePatchInstance =
  (deps: ControlDeps): UseCase<{ id: string; body: PatchInstance }, NamedInstance> =>
  async (tx, context, { id, body }) => {
    const instance = await instanceFor(tx, context.actor, id)
    checkRevision(context, instance)
    await refuseDoomed(tx, instance)
    checkSettings(instance, body.settings ?? {})
    const audit = { action: 'instance.update', target: id, detail: { ...body } }
    const protection = body.deletion_protection ?? instance.deletionProtection
    if (body.max_memory_mb === undefined && body.settings === undefined) {
      await updateInstance(tx, id, { deletionProtection: protection, updatedAt: context.now })
      return { result: await instanceFor(tx, context.actor, id), audit }
    }
    const maxMemoryMb = body.max_memory_mb ?? instance.maxMemoryMb
    await resize(tx, deps, instance, maxMemoryMb)
    const generation = instance.generation + 1
    await updateInstance(tx, id, {
      maxMemoryMb,
      settings: { ...instance.settings, ...body.settings },
      deletionProtection: protection,
      generation,
      updatedAt: context.now,
    })
    await supersede(tx, context, { instanceId: id, userId: null, kinds: ['update'] })
    const operationId = await openOperation(deps, tx, context, instance, {
      kind: 'update',
      targetGeneration: generation,
      undo: { maxMemoryMb: instance.maxMemoryMb, settings: instance.settings },
    })
    return { result: await instanceFor(tx, context.actor, id), operationId, wake: id, audit }
  }
