import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

const rotateBytes = 50 * 1024 * 1024

/**
 * A log file (0600) that ends nobody: what cannot be written is left out, and a later line says how much was. Full, it
 * is moved to `.1`, over the one before.
 * @param limitBytes length after which it is moved
 */
export function openLogFile(path: string, limitBytes = rotateBytes): { write(line: string): void } {
  let fd = openSync(path, 'a', 0o600)
  let size = fstatSync(fd).size
  let lost = 0

  function append(line: string): void {
    if (size > limitBytes) rotate()
    size += writeSync(fd, line)
  }

  function rotate(): void {
    renameSync(path, `${path}.1`)
    const next = openSync(path, 'a', 0o600)
    closeSync(fd)
    fd = next
    size = 0
  }

  return {
    write(line) {
      try {
        if (lost > 0) append(`${JSON.stringify({ level: 40, lost, msg: 'lines of this log could not be written' })}\n`)
        lost = 0
        append(line)
      } catch {
        // A full disk is no reason to end: somebody has to look after the instances.
        lost += 1
      }
    },
  }
}
