/** A server's log: bounded while it is written, and read for its last words when the server ends. */
import { copyFile, open, rename, stat, truncate } from 'node:fs/promises'
import { StepError } from '../../domain/plan/step-error.ts'
import { ifMissing } from './files.ts'

const rotateBytes = 10 * 1024 * 1024
const tailBytes = 64 * 1024
const linesKept = 3

/** Moves a log that has grown too long to `.1`, over the one before. @returns the length of what remains, in bytes */
export async function boundLog(path: string): Promise<number> {
  const size = (await stat(path).catch(ifMissing))?.size ?? 0
  if (size <= rotateBytes) return size
  await rename(path, `${path}.1`)
  return 0
}

/**
 * The same for a log that a server has open, to append: it goes on at the beginning. What it writes between copy and cut
 * is lost. Without it a client that provokes warnings fills the disk of all.
 */
export async function boundOpenLog(path: string): Promise<void> {
  const size = (await stat(path).catch(ifMissing))?.size ?? 0
  if (size <= rotateBytes) return
  // A full disk has no room for the copy, and gets some by the cut.
  await copyFile(path, `${path}.1`).catch(() => undefined)
  await truncate(path)
}

/** Why a server that has ended did so, by what it wrote from `offset` on. */
export async function lastWords(path: string, offset: number): Promise<StepError> {
  return explainEnd(await tail(path, offset))
}

async function tail(path: string, offset: number): Promise<string> {
  const file = await open(path).catch(ifMissing)
  if (!file) return ''
  try {
    const { size } = await file.stat()
    // A log that is shorter than its offset was cut meanwhile.
    const start = Math.max(size - tailBytes, offset > size ? 0 : offset)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Reads a server's last lines; what could be a secret in them is left out. */
export function explainEnd(text: string): StepError {
  const lines = text.split('\n').map((line) => line.trim())
  const fatal = lines.findLastIndex((line) => line.includes('FATAL CONFIG FILE ERROR'))
  if (fatal >= 0) return configError(lines.slice(fatal + 1))
  const words = usefulWords(lines)
  const taken = words.find((word) => word.includes('bind: Address already in use'))
  if (taken) {
    const remedy = 'find the process that holds it with: ss -ltnp, then end it or let the instance take another port'
    const where = /listening socket (\S+):(\d+)/.exec(taken)
    return new StepError('port-taken', where ? `port ${where[2]} on ${where[1]} is taken` : 'its port is taken', {
      remedy,
    })
  }
  const said = words.slice(-linesKept).map(withoutSecrets).join('; ')
  const config = /ACL errors|can't open config file|Failed to configure TLS/.test(said)
  const how = said === '' ? 'the server ended without a word' : `the server ended: ${said}`
  return new StepError(config ? 'config-error' : 'exited', how, { remedy: 'the log of the server has more' })
}

/** The refused line is shown by its directive's name only: `>>> 'requirepass hunter2'`. */
function configError(lines: string[]): StepError {
  const said = lines.flatMap((line) => {
    if (line === '') return []
    const quoted = /^>>> '(\S*)/.exec(line)
    return quoted ? [`directive ${quoted[1]?.replace(/'$/, '') ?? ''}`] : [line]
  })
  return new StepError(
    'config-error',
    `valkey.conf is refused: ${said.slice(0, linesKept).map(withoutSecrets).join(', ')}`,
  )
}

/** What is a warning in every start says nothing about an end. */
const usual =
  /Memory overcommit|Transparent Huge Pages|TCP backlog|maximum open files|maxclients|no config file specified/i

/** Texts of warnings (`PID:ROLE DATE # TEXT`), and of lines without that form, which the C library wrote. */
function usefulWords(lines: string[]): string[] {
  const words = lines.flatMap((line) => {
    const entry = /^\d+:[A-Z] .{20,30} ([.*#-]) (.*)$/.exec(line)
    if (entry && entry[1] !== '#') return []
    const word = entry?.[2] ?? line
    return word === '' || usual.test(word) ? [] : [word]
  })
  return words
}

const withoutSecrets = (word: string) =>
  word
    .replace(/[0-9a-f]{64}/gi, '(digest)')
    .replace(/applying operation '[^']*'/, 'applying a rule')
    .slice(0, 300)
