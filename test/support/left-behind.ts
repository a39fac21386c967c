import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'

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

/** Ends the test run's own left-overs by pid, and fails if there were any. */
export function assertNothingLeft(dir: string): void {
  const left = processesIn(dir)
  for (const pid of left) process.kill(pid, 'SIGKILL')
  assert.deepEqual(left, [], `processes were left behind in ${dir}`)
}
