/** Who a process is, beyond its number: numbers are handed out again. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/**
 * When the process began, as an opaque text that differs between two processes of one number; null where there is none.
 * Linux: clock ticks since boot, field 22 of /proc/PID/stat (proc(5); the name before it may hold spaces and brackets).
 * Elsewhere: what ps says.
 */
export function processStartTime(pid: number): string | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null
  try {
    if (!existsSync('/proc/self/stat'))
      return (
        execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
          encoding: 'utf8',
          env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
        }).trim() || null
      )
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie has ended: only its parent has not looked yet.
    return fields[0] === 'Z' ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}
