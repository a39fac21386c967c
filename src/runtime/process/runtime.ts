/** Servers as child processes that outlive the platform. */
import type { ChildProcess } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { StepError } from '../../domain/plan/step-error.ts'
import type { Runtime } from '../../domain/ports/runtime.ts'
import { serverLayout } from '../../domain/server-plan.ts'
import { dataNames, dataState } from './data-state.ts'
import { makeBinaryVersion } from './binary-version.ts'
import { ensureOwnDir } from './files.ts'
import { makeFindProcess } from './find.ts'
import { boundOpenLog, lastWords } from './log.ts'
import { observeFiles } from './observe-files.ts'
import { portHolder } from './port.ts'
import { type ProcessTable, procTable, psTable } from './process-table.ts'
import { readRecord } from './record.ts'
import { startServer } from './start.ts'
import { removeServer, stopServer } from './stop.ts'
import { writeServer } from './write.ts'

export type ProcessRuntimeDeps = {
  /** Absolute; created 0700 where it is missing. Holds one directory per server. */
  serversDir: string
  /** Absolute, at most 65 bytes; created 0700 where it is missing. */
  socketsDir: string
  log?: { warn(facts: object, message: string): void }
  /** How long a server may take to save and exit while no snapshot is seen to grow; 15 s by default. */
  stopGraceMs?: number
  /** The system's own by default. */
  table?: ProcessTable
}

/** sun_path holds 107 bytes and a NUL; valkey refuses longer ones (facts §1). */
const socketPathBytes = 107
const idPattern = /^srv_[0-9a-f]{32}$/

/** @throws StepError `directory-unsafe`, `path-too-long` */
export function makeProcessRuntime(deps: ProcessRuntimeDeps): Runtime {
  const { serversDir, socketsDir, log = { warn: () => undefined }, stopGraceMs: graceMs = 15_000 } = deps
  ensureOwnDir(serversDir)
  ensureOwnDir(socketsDir)
  const table = deps.table ?? (process.platform === 'linux' ? procTable() : psTable())
  const layout = (id: string) => {
    if (!idPattern.test(id)) throw new StepError('bad-id', 'the id is not a server’s')
    return serverLayout(serversDir, socketsDir, id)
  }
  const longest = Buffer.byteLength(layout(`srv_${'0'.repeat(32)}`).socket)
  if (longest > socketPathBytes)
    throw new StepError('path-too-long', `${socketsDir} is ${longest - socketPathBytes} bytes too long for sockets`)
  const find = makeFindProcess(table, serversDir, layout)
  const children = new Map<string, ChildProcess>()
  const binaryVersion = makeBinaryVersion()
  const oneAtATime = makeQueue()

  return {
    layout,
    write: (plan, parts, key) => oneAtATime(plan.id, () => writeServer(layout(plan.id), plan, parts, key)),
    start: (plan, options, signal) =>
      oneAtATime(plan.id, () => startServer({ table, find, children, log }, layout(plan.id), plan, options, signal)),
    stop: (id, how, signal, beat) =>
      oneAtATime(id, () => stopServer({ find, children, log, graceMs, beat }, id, layout(id), how, signal)),
    remove: (id) => oneAtATime(id, () => removeServer({ find, children, log, graceMs }, id, layout(id))),
    async observe(plan, serves) {
      const place = layout(plan.id)
      const seen = find.find(plan.id).then(({ server }) => server)
      const [files, data, server, port, version] = await Promise.all([
        observeFiles(place),
        dataState(place.dataDir, dataNames(plan.conf), plan.engine.version),
        seen,
        seen.then(async (server) => (server && (await serves) ? 'ours' : portHolder(plan.listen, server))),
        binaryVersion(plan.engine.binary),
      ])
      if (server) await boundOpenLog(place.log)
      const process = server && { pid: server.pid, frozen: server.frozen }
      return { files, data, process, port, binaryVersion: version }
    },
    async list() {
      const [names, processes] = await Promise.all([readdir(serversDir), find.everywhere()])
      const ids = new Set([...names.filter((name) => idPattern.test(name)), ...processes.keys()])
      return [...ids].toSorted().map((id) => {
        const { server, orphans } = processes.get(id) ?? { server: null, orphans: [] }
        return { id, pid: server?.pid ?? orphans[0]?.pid ?? null }
      })
    },
    async endReason(id) {
      const place = layout(id)
      const record = await readRecord(place.dir)
      return record ? lastWords(place.log, record.logOffset) : null
    },
  }
}

/** Runs the works of one server one after the other: two starts at once would be two processes. */
function makeQueue() {
  const tails = new Map<string, Promise<unknown>>()
  return <T>(id: string, work: () => Promise<T>): Promise<T> => {
    const turn = (tails.get(id) ?? Promise.resolve()).then(work, work)
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (tails.get(id) === settled) tails.delete(id)
      })
    tails.set(id, settled)
    return turn
  }
}
