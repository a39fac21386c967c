/** Which processes are a server's: judged by working directory and start time, never by a pid alone. */
import { realpathSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import type { ServerLayout } from '../../domain/server-plan.ts'
import { ifMissing } from './files.ts'
import type { ProcessFacts, ProcessTable } from './process-table.ts'
import { readRecord } from './record.ts'

export type ServerProcesses = {
  server: ProcessFacts | null
  /** Children that the server forked to save and that outlived it: they may still write into its directory. */
  orphans: ProcessFacts[]
}

export type FindProcess = {
  /** By the record; the whole table is read only where record or socket say that there may be more to find. */
  find(id: string): Promise<ServerProcesses>
  /** By the whole table. */
  search(id: string): Promise<ServerProcesses>
  everywhere(): Promise<Map<string, ServerProcesses>>
  /** Whether this very process still lives. */
  lives(process: ProcessFacts): Promise<boolean>
}

/** @param serversDir exists already */
export function makeFindProcess(
  table: ProcessTable,
  serversDir: string,
  layout: (id: string) => ServerLayout,
): FindProcess {
  // The system reports real paths.
  const root = `${realpathSync(serversDir)}/`
  const idOf = (cwd: string) =>
    cwd.startsWith(root) ? /^(srv_[0-9a-f]{32})(?:\/|$)/.exec(cwd.slice(root.length))?.[1] : undefined

  const everywhere = async () => {
    const found = new Map<string, ServerProcesses>()
    for (const process of await table.all()) {
      const id = idOf(process.cwd)
      if (id === undefined) continue
      const entry = found.get(id) ?? { server: null, orphans: [] }
      if (process.leader) entry.server = process
      else entry.orphans.push(process)
      found.set(id, entry)
    }
    // A living server's children are its own affair.
    for (const entry of found.values()) if (entry.server) entry.orphans = []
    return found
  }
  const search = async (id: string) => (await everywhere()).get(id) ?? { server: null, orphans: [] }

  return {
    everywhere,
    search,
    async find(id) {
      const place = layout(id)
      const record = await readRecord(place.dir)
      if (record?.pid) {
        const process = await table.look(record.pid)
        if (process?.startTime === record.startTime && idOf(process.cwd) === id) return { server: process, orphans: [] }
      }
      // A socket without a record: somebody removed the record under a running server.
      if (record || (await lstat(place.socket).catch(ifMissing))) return search(id)
      return { server: null, orphans: [] }
    },
    async lives({ pid, startTime }) {
      return (await table.look(pid))?.startTime === startTime
    },
  }
}
