/** When the platform acts by itself: which doubts become an operation, and how often a server that keeps dying is started. */
import type { Noun } from '../../domain/model/common.ts'
import type { Instance } from '../../domain/model/instance.ts'
import type { Plan, Step } from '../../domain/plan/step.ts'
import { updateInstance } from '../../store/instances.ts'
import { allocatePort, blockPort } from '../../store/ports.ts'
import { updateServer } from '../../store/servers.ts'
import type { Store } from '../../store/store.ts'
import { openOperation } from '../open-operation.ts'
import { platformContext } from '../platform-context.ts'
import type { Look } from './attempt.ts'
import { type FinishDeps, sentence } from './finish.ts'
import type { Loaded } from './load.ts'
import { makePauses } from './pauses.ts'

export type RepairDeps = {
  store: Store
  finish: FinishDeps
  newId: (noun: Noun) => string
  now: () => string
  log: { warn(fields: object, message: string): void }
}

export type Repairs = {
  /** Remembers why there is a doubt, for the note of a repair that may follow. */
  suspect(instanceId: string, reason: string): void
  /** Writes the operation of a repair where one is due. @returns whether it did */
  begin(loaded: Loaded, seen: Look, certificateDue: boolean): Promise<boolean>
  /**
   * A step of a run that is about users only is about to begin. A server that it has to start had died: that is a repair,
   * and is written down as one.
   */
  noticed(loaded: Loaded, step: Step): void
  converged(instanceId: string): void
  gaveUp(instanceId: string): void
  /** Looks again after a pause that grows. */
  later(instanceId: string): void
  /** Gives a server that was never active another port. @returns false where the node has none */
  movePort(loaded: Loaded): Promise<boolean>
  stop(): void
}

/** What to do about a look: nothing, look again later, or repair for the reason given. */
function judge(loaded: Loaded, { next }: Look, certificateDue: boolean): { act: 'none' | 'later' } | { found: string } {
  const { instance } = loaded
  if (next.state === 'converged' && !certificateDue && isWell(instance)) return { act: 'none' }
  // A person decides about what never worked, and about a delete that could not be finished.
  if (loaded.doomed || (!instance.everActive && instance.status === 'failed')) return { act: 'none' }
  // A certificate that ended blocks, and only a new one helps.
  if (!certificateDue && next.state === 'blocked' && (next.wait || sentence(next.cause) === instance.statusMessage))
    return { act: 'later' }
  return { found: certificateDue && next.state === 'converged' ? 'a certificate has to be replaced' : describe(next) }
}

/** @param look asks for a run of the instance */
export function makeRepairs(deps: RepairDeps, look: (instanceId: string) => void): Repairs {
  const pauses = makePauses(look)

  async function begin(loaded: Loaded, seen: Look, certificateDue: boolean): Promise<boolean> {
    const { id } = loaded.instance
    const verdict = judge(loaded, seen, certificateDue)
    if ('act' in verdict) {
      if (verdict.act === 'later') pauses.failed(id)
      else pauses.forget(id)
      return false
    }
    if (pauses.pausing(id)) return false
    const { next } = seen
    await writeDown(loaded, verdict.found, next.state === 'steps' && next.steps.some(({ kind }) => kind === 'start'))
    return true
  }

  function writeDown(loaded: Loaded, found: string, restarts: boolean): Promise<void> {
    const { id } = loaded.instance
    if (restarts) pauses.restarted(id)
    const reason = pauses.takeReason(id)
    return insertRepair(deps, loaded, reason ? `${reason}; ${found}` : found)
  }

  function noticed(loaded: Loaded, step: Step): void {
    const { instance, open } = loaded
    if (step.kind !== 'start' || !instance.everActive || open.some((operation) => operation.userId === null)) return
    writeDown(loaded, 'no process runs', true)
      .then(() => look(instance.id))
      .catch((error: unknown) => deps.log.warn({ err: error }, 'a repair could not be written down'))
  }

  return {
    suspect: pauses.suspect,
    begin,
    noticed,
    converged: pauses.forget,
    gaveUp: pauses.failed,
    later: pauses.failed,
    movePort: (loaded) => movePort(deps, loaded),
    stop: pauses.stop,
  }
}

/** Nothing to record: its rows already say what was seen. */
const isWell = (instance: Instance) =>
  instance.status === 'active' && instance.observedGeneration === instance.generation

function describe(next: Plan): string {
  if (next.state === 'blocked') return next.cause.message
  if (next.state === 'converged') return 'it serves again what was asked for'
  return next.steps
    .map((step) => {
      switch (step.kind) {
        case 'write-files':
          return `files differ: ${step.parts.join(', ')}`
        case 'start':
          return 'no process runs'
        case 'configure':
          return `settings differ: ${step.directives.map((d) => d.name).join(', ')}`
        case 'set-users': {
          const names = [...step.users.map((user) => user.name), ...step.remove]
          return names.length > 0 ? `users differ: ${names.join(', ')}` : 'the aclfile differs'
        }
        case 'stop':
          return `it runs, but ${step.reason}`
        case 'remove':
          return 'something of it is left'
      }
    })
    .join('; ')
}

async function insertRepair(deps: RepairDeps, loaded: Loaded, note: string): Promise<void> {
  const { instance } = loaded
  const asked = { kind: 'repair', targetGeneration: instance.generation, note } as const
  await deps.store.write((tx) => openOperation(deps, tx, platformContext(deps.now()), instance, asked))
}

function movePort(deps: RepairDeps, loaded: Loaded): Promise<boolean> {
  const now = deps.now()
  const until = new Date(Date.parse(now) + deps.finish.portCooldownMs).toISOString()
  const [server] = loaded.servers
  if (!server) return Promise.resolve(false)
  return deps.store.write(async (tx) => {
    const port = await allocatePort(tx, server.nodeId, server.id, now)
    if (port === undefined) return false
    await blockPort(tx, server.nodeId, server.port, until)
    await updateServer(tx, server.id, { port })
    if (server.role === 'primary') await updateInstance(tx, loaded.instance.id, { port, updatedAt: now })
    return true
  })
}
