/** Ending processes. Every signal goes out only after a look at start time and working directory. */
import type { ChildProcess } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { FindProcess } from './find.ts'
import type { ProcessFacts } from './process-table.ts'
import { ifMissing } from './files.ts'

const longestPollMs = 100

/** @returns false where the process has ended already */
export async function sendSignal(
  find: FindProcess,
  target: ProcessFacts,
  name: 'SIGTERM' | 'SIGKILL' | 'SIGCONT',
): Promise<boolean> {
  if (!(await find.lives(target))) return false
  try {
    // A killed leader takes the children that it forked to save with it.
    process.kill(name === 'SIGKILL' && target.leader ? -target.pid : target.pid, name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}

/**
 * Waits for a process to end: by its event where it is our child, else by looking at growing intervals.
 * @returns false when `deadline` fires first
 */
export async function untilEnded(
  find: FindProcess,
  target: ProcessFacts | undefined,
  child: ChildProcess | undefined,
  deadline: AbortSignal,
): Promise<boolean> {
  if (child) return childEnded(child, deadline)
  if (!target) return true
  for (let pauseMs = 1; await find.lives(target); pauseMs = Math.min(pauseMs * 2, longestPollMs)) {
    if (deadline.aborted) return false
    await delay(pauseMs, undefined, { signal: deadline }).catch(() => undefined)
  }
  return true
}

function childEnded(child: ChildProcess, deadline: AbortSignal): Promise<boolean> {
  if (hasEnded(child)) return Promise.resolve(true)
  return new Promise((resolve) => {
    const end = () => {
      child.off('exit', end)
      deadline.removeEventListener('abort', end)
      child.unref()
      resolve(hasEnded(child))
    }
    // A child that outlives us does not keep us up; one that we wait for does.
    child.ref()
    child.once('exit', end)
    deadline.addEventListener('abort', end)
    if (deadline.aborted) end()
  })
}

/** The child object of a process that we started ourselves, for its exit event. */
export function ownChild(children: ReadonlyMap<string, ChildProcess>, id: string, target: ProcessFacts) {
  const child = children.get(id)
  return child?.pid === target.pid ? child : undefined
}

const hasEnded = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** Bytes that a server has written of the snapshot it makes before it exits, -1 where it makes none. */
export const snapshotBytes = async (dataDir: string, pid: number): Promise<number> =>
  (await stat(`${dataDir}/temp-${pid}.rdb`).catch(ifMissing))?.size ?? -1
