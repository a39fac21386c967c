/** Ending a server and removing it. Both safe to repeat at any point where they were cut off. */
import type { ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { StepError } from '../../domain/plan/step-error.ts'
import type { ServerLayout } from '../../domain/server-plan.ts'
import { ownChild, sendSignal, snapshotBytes, untilEnded } from './end.ts'
import type { FindProcess } from './find.ts'
import type { ProcessFacts } from './process-table.ts'
import { removeRecord } from './record.ts'

export type StopDeps = {
  find: FindProcess
  children: Map<string, ChildProcess>
  log: { warn(facts: object, message: string): void }
  /** How long SIGTERM is given while nothing is seen to be saved. */
  graceMs: number
  /** Called whenever the snapshot has grown. */
  beat?: (() => void) | undefined
}

const killMs = 5_000

/**
 * Ends a server's processes, then drops its socket and record.
 * @param how `save`: SIGTERM, then SIGKILL when its time is up and no snapshot grows; `kill`: SIGKILL at once
 * @throws StepError `will-not-end` where a killed process stays
 */
export async function stopServer(
  deps: StopDeps,
  id: string,
  place: ServerLayout,
  how: 'save' | 'kill',
  signal: AbortSignal,
): Promise<void> {
  const { server, orphans } = how === 'kill' ? await deps.find.search(id) : await deps.find.find(id)
  if (server) {
    const saved = how === 'save' && (await saveAndExit(deps, id, place, server, signal))
    if (!saved) await kill(deps, id, server)
  }
  for (const orphan of orphans) await kill(deps, id, orphan)
  await rm(place.socket, { force: true })
  await removeRecord(place.dir)
}

/** @returns whether it ended by itself */
async function saveAndExit(
  deps: StopDeps,
  id: string,
  place: ServerLayout,
  server: ProcessFacts,
  signal: AbortSignal,
): Promise<boolean> {
  await sendSignal(deps.find, server, 'SIGTERM')
  // A frozen process keeps the signal until it goes on.
  if (server.frozen) await sendSignal(deps.find, server, 'SIGCONT')
  const child = ownChild(deps.children, id, server)
  for (let written = -2; ; ) {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(deps.graceMs)])
    if (await untilEnded(deps.find, server, child, deadline)) return true
    signal.throwIfAborted()
    const now = await snapshotBytes(place.dataDir, server.pid)
    if (now < 0 || now === written) break
    written = now
    deps.beat?.()
  }
  deps.log.warn({ server: id, pid: server.pid, graceMs: deps.graceMs }, 'the server did not end in time: killing it')
  return false
}

async function kill(deps: StopDeps, id: string, target: ProcessFacts): Promise<void> {
  await sendSignal(deps.find, target, 'SIGKILL')
  const child = ownChild(deps.children, id, target)
  if (await untilEnded(deps.find, target, child, AbortSignal.timeout(killMs))) return
  throw new StepError('will-not-end', `process ${target.pid} does not end though it was killed`, {
    remedy: 'it waits for a device; look at the machine’s disks',
  })
}

/** The directory goes last: as long as it stands, the server is listed and removed again. */
export async function removeServer(deps: StopDeps, id: string, place: ServerLayout): Promise<void> {
  await stopServer(deps, id, place, 'kill', AbortSignal.timeout(2 * killMs))
  await rm(place.dir, { recursive: true, force: true })
}
