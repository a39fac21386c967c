/** Servers on a node that no row knows: remains of deleted instances are ended, anything else is left alone and told. */
import type { Noun } from '../domain/model/common.ts'
import { stepTimeoutMs } from '../domain/plan/plan.ts'
import type { NodeAgent } from '../domain/ports/node-agent.ts'
import { insertAuditRow } from '../store/audit.ts'
import { findAnyInstance } from '../store/instances.ts'
import { instanceOfServer, saveSteps, updateOperation } from '../store/operations.ts'
import type { Store } from '../store/store.ts'
import { openOperation } from './open-operation.ts'
import { platformContext } from './platform-context.ts'

export type StrayDeps = {
  store: Store
  newId: (noun: Noun) => string
  now: () => string
  agent: (nodeId: string) => NodeAgent
  log: { warn(fields: object, message: string): void }
}

export type Stray = { id: string; pid: number | null }

/**
 * A stray whose instance was deleted is removed, and an operation of that instance tells of it. One that the store never
 * heard of may be somebody's data (a database put back from an older copy): it is named once and never touched.
 */
export function makeStrays(deps: StrayDeps): (nodeId: string, stray: Stray) => Promise<void> {
  const told = new Set<string>()
  return async (nodeId, stray) => {
    if (told.has(stray.id)) return
    const instance = await deps.store.read(async (db) => {
      const id = await instanceOfServer(db, stray.id)
      return id === undefined ? undefined : findAnyInstance(db, id)
    })
    // One that has just been made: the list of servers is older than it.
    if (instance && instance.status !== 'deleted') return
    if (!instance) {
      told.add(stray.id)
      deps.log.warn({ serverId: stray.id, pid: stray.pid }, 'a server that the store does not know; it is left alone')
      return
    }
    await removeStray(deps, nodeId, stray, instance)
  }
}

async function removeStray(
  deps: StrayDeps,
  nodeId: string,
  stray: Stray,
  instance: { id: string; tenantId: string | null; generation: number },
): Promise<void> {
  const startedAt = deps.now()
  const server = { id: stray.id, adminRef: '' }
  const step = { kind: 'remove', nodeId, server, timeoutMs: stepTimeoutMs } as const
  await deps.agent(nodeId).execute(step, AbortSignal.timeout(step.timeoutMs), () => undefined)
  const now = deps.now()
  await deps.store.write(async (tx) => {
    const note = `a server of this deleted instance was still there (process ${stray.pid ?? 'none'})`
    const asked = { kind: 'repair', targetGeneration: instance.generation, note } as const
    const id = await openOperation(deps, tx, platformContext(startedAt), instance, asked)
    await updateOperation(tx, id, { status: 'succeeded', attempts: 1, startedAt, finishedAt: now, updatedAt: now })
    await saveSteps(tx, id, [
      {
        seq: 1,
        kind: step.kind,
        serverId: stray.id,
        attempt: 1,
        status: 'succeeded',
        startedAt,
        finishedAt: now,
        error: null,
      },
    ])
    await insertAuditRow(tx, {
      id: deps.newId('audit'),
      at: now,
      actor: 'platform',
      action: 'stray.remove',
      target: stray.id,
      outcome: 'done',
      requestId: null,
      detail: null,
    })
  })
}
