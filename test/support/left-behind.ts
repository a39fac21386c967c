import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** Processes whose working directory lies in a directory. */
export function processesIn(dir: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${dir}/`)
      } catch {
        return false
      }
    })
}

/** Stops a process by a signal and waits until the kernel says so: its threads stop one after the other. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await setImmediate()
}

/** Ends the test run's own left-overs by pid, and fails if there were any. */
export function assertNothingLeft(dir: string): void {
  const left = processesIn(dir)
  for (const pid of left) process.kill(pid, 'SIGKILL')
  assert.deepEqual(left, [], `processes were left behind in ${dir}`)
}
