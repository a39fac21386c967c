/** The first bytes of an RDB file: which format, who wrote it, and whether it holds anything. */
import { open } from 'node:fs/promises'
import { ifMissing } from './files.ts'

export type RdbHeader = {
  /** `REDIS` up to format 11 (Valkey 8), `VALKEY` from format 80 on (Valkey 9). */
  magic: 'REDIS' | 'VALKEY'
  format: number
  /** Of the auxiliary field valkey-ver, null where there is none. */
  writtenBy: string | null
  /** No key and no function follows. */
  blank: boolean
}

const headBytes = 1024
const aux = 0xfa
const endOfFile = 0xff

/**
 * Reads an RDB's header.
 * @returns undefined where the file is missing, `unreadable` where it does not begin like an RDB
 */
export async function readRdbHeader(path: string): Promise<RdbHeader | 'unreadable' | undefined> {
  const file = await open(path).catch(ifMissing)
  if (!file) return undefined
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0)
    return parseRdbHeader(buffer.subarray(0, bytesRead))
  } finally {
    await file.close()
  }
}

/** Magic and format are 9 bytes together: `REDIS0011`, `VALKEY080` (read off files of 8.0.1, 8.1.1 and 9.1.2). */
export function parseRdbHeader(head: Buffer): RdbHeader | 'unreadable' {
  const match = /^(?:(REDIS)(\d{4})|(VALKEY)(\d{3}))$/.exec(head.toString('latin1', 0, 9))
  if (!match) return 'unreadable'
  const magic = match[1] === 'REDIS' ? 'REDIS' : 'VALKEY'
  let writtenBy: string | null = null
  let at = 9
  while (head[at] === aux) {
    const name = readString(head, at + 1)
    const value = name && readString(head, name.next)
    if (!value) return { magic, format: Number(match[2] ?? match[4]), writtenBy, blank: false }
    if (name.text === 'valkey-ver') writtenBy = value.text
    at = value.next
  }
  return { magic, format: Number(match[2] ?? match[4]), writtenBy, blank: head[at] === endOfFile }
}

/** A string with a 6 or 14 bit length, or an integer of 8, 16 or 32 bits: all that auxiliary fields use. */
function readString(head: Buffer, at: number): { text: string; next: number } | undefined {
  const first = head[at]
  if (first === undefined) return undefined
  const integer = [1, 2, 4][first - 0xc0]
  if (integer !== undefined) return { text: '', next: at + 1 + integer }
  const second = head[at + 1]
  if (first < 0x40) return { text: head.toString('latin1', at + 1, at + 1 + first), next: at + 1 + first }
  if (first >= 0x80 || second === undefined) return undefined
  const start = at + 2
  const next = start + ((first & 0x3f) << 8) + second
  return { text: head.toString('latin1', start, next), next }
}

/** Newest format of each magic that an engine opens. 8.x knows no VALKEY files; what comes after 9.1 is not known here. */
const readable = (engineVersion: string) => {
  const [major = 0, minor = 0] = engineVersion.split('.').map(Number)
  if (major < 9) return { REDIS: 11, VALKEY: 0 }
  return { REDIS: 11, VALKEY: major === 9 && minor <= 1 ? 80 : Number.POSITIVE_INFINITY }
}

/** Whether an engine opens a file with this header. The engine itself refuses by the same rule, and exits. */
export const opens = (engineVersion: string, header: RdbHeader): boolean =>
  header.format <= readable(engineVersion)[header.magic]
