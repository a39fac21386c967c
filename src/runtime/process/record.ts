/** `server.json`: what we noted of a server's process when we started it. A hint to look by, never a proof. */
import { readFile, rm } from 'node:fs/promises'
import { ifMissing, replaceFile } from './files.ts'

export type ProcessRecord = {
  /** null: a start was begun, and nothing is known of what became of it. */
  pid: number | null
  startTime: string | null
  configFile: string
  /** Where in the log the words of this process begin, in bytes. */
  logOffset: number
}

export const recordPath = (dir: string) => `${dir}/server.json`

export const writeRecord = (dir: string, record: ProcessRecord) => replaceFile(recordPath(dir), JSON.stringify(record))

export const removeRecord = (dir: string) => rm(recordPath(dir), { force: true })

/** undefined: none. One that cannot be read counts as begun: its process is then searched for. */
export async function readRecord(dir: string): Promise<ProcessRecord | undefined> {
  const text = await readFile(recordPath(dir), 'utf8').catch(ifMissing)
  if (text === undefined) return undefined
  const unknown = { pid: null, startTime: null, configFile: '', logOffset: 0 }
  try {
    const { pid, startTime, configFile, logOffset } = JSON.parse(text)
    if (typeof configFile !== 'string' || !Number.isSafeInteger(logOffset)) return unknown
    const known = Number.isSafeInteger(pid) && typeof startTime === 'string'
    return { ...unknown, ...(known ? { pid, startTime } : {}), configFile, logOffset }
  } catch {
    return unknown
  }
}
