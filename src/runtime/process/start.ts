/** Starting one valkey-server as a foreground child in its own session, which outlives us. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { StepError } from '../../domain/plan/step-error.ts'
import type { ServerLayout, ServerPlan } from '../../domain/server-plan.ts'
import { ownChild, sendSignal, untilEnded } from './end.ts'
import { dirMode, ensureDir, ensureOwnDir, fileMode } from './files.ts'
import type { FindProcess, ServerProcesses } from './find.ts'
import { boundLog, lastWords } from './log.ts'
import type { ProcessFacts, ProcessTable } from './process-table.ts'
import { type ProcessRecord, readRecord, writeRecord } from './record.ts'
import { untilAnswers } from './socket.ts'

export type StartDeps = {
  table: ProcessTable
  find: FindProcess
  /** Our own children by server, for their exit events. */
  children: Map<string, ChildProcess>
  log: { warn(facts: object, message: string): void }
}

/** A killed process needs no time of its own to end; one that is stuck in the kernel is not waited for. */
const orphanEndMs = 5_000

/** Never the platform's own environment: it may hold secrets. */
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C' }

/**
 * Killed before spawn: the record says that a start was begun, and the next one finds nothing. Killed after it: the
 * process is found by its working directory. Killed while waiting: the process goes on.
 * @throws StepError `config-error`, `port-taken`, `exited`, `engine-missing`, `directory-unsafe`
 */
export async function startServer(
  deps: StartDeps,
  place: ServerLayout,
  plan: ServerPlan,
  options: { appendonly: 'yes' | 'no' },
  signal: AbortSignal,
): Promise<void> {
  const found = await deps.find.find(plan.id)
  if (found.server)
    return untilServing(deps, place, found.server, ownChild(deps.children, plan.id, found.server), signal)
  await endOrphans(deps, plan.id, found)
  signal.throwIfAborted()
  // It may be gone since the platform started (somebody emptied /tmp): valkey exits where it cannot bind its socket.
  ensureOwnDir(dirname(place.socket))
  // What is left of a server that was killed: while it stands, nothing accepts on it.
  await rm(place.socket, { force: true })
  await ensureDir(place.dataDir)
  const logOffset = await boundLog(place.log)
  const begun: ProcessRecord = { pid: null, startTime: null, configFile: place.conf, logOffset }
  await writeRecord(place.dir, begun)
  const child = await spawnServer(place, plan.engine.binary, options)
  deps.children.set(plan.id, child)
  child.once('exit', () => {
    if (deps.children.get(plan.id) === child) deps.children.delete(plan.id)
  })
  const server = await deps.table.look(child.pid ?? 0)
  if (server) await writeRecord(place.dir, { ...begun, pid: server.pid, startTime: server.startTime })
  return untilServing(deps, place, server, child, signal)
}

async function endOrphans(deps: StartDeps, id: string, { orphans }: ServerProcesses): Promise<void> {
  for (const orphan of orphans) {
    deps.log.warn({ server: id, pid: orphan.pid }, 'ending a child that outlived its server')
    await sendSignal(deps.find, orphan, 'SIGKILL')
    await untilEnded(deps.find, orphan, undefined, AbortSignal.timeout(orphanEndMs))
  }
}

async function spawnServer(
  place: ServerLayout,
  binary: string,
  { appendonly }: { appendonly: 'yes' | 'no' },
): Promise<ChildProcess> {
  const log = await open(place.log, 'a', fileMode)
  try {
    const child = spawnPrivate(binary, [place.conf, ...(appendonly === 'no' ? ['--appendonly', 'no'] : [])], {
      cwd: place.dataDir,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: environment,
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', ({ code }: NodeJS.ErrnoException) =>
        reject(
          new StepError('engine-missing', `${binary} cannot be run (${code})`, {
            remedy: 'install it again, or set VALKEY_SERVER',
          }),
        ),
      )
    })
    child.unref()
    return child
  } finally {
    await log.close()
  }
}

/** Valkey itself makes some files readable to all (ACL SAVE, AOF): the mask closes them. The fork is within spawn. */
function spawnPrivate(command: string, args: string[], options: SpawnOptions): ChildProcess {
  const mask = process.umask(0o777 & ~dirMode)
  try {
    return spawn(command, args, options)
  } finally {
    process.umask(mask)
  }
}

/**
 * Until it answers on its socket, or the process has ended.
 * @param server undefined where it ended before it could be looked at
 */
async function untilServing(
  deps: StartDeps,
  place: ServerLayout,
  server: ProcessFacts | undefined,
  child: ChildProcess | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController()
  const done = new AbortController()
  const watched = AbortSignal.any([signal, done.signal])
  const end = (async () => {
    if (!server && !child) return ended.abort()
    if (await untilEnded(deps.find, server, child, watched)) ended.abort()
  })()
  try {
    await untilAnswers(place.socket, AbortSignal.any([signal, ended.signal]))
  } catch (error) {
    if (!ended.signal.aborted) throw error
    throw await lastWords(place.log, (await readRecord(place.dir))?.logOffset ?? 0)
  } finally {
    done.abort()
    await end
  }
}
