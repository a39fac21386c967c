/** The machine's valkey-server processes, as far as this user may look at them. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { promisify } from 'node:util'

export type ProcessFacts = {
  pid: number
  /** When it started, in whatever unit the system has: with the pid it names one process of this boot. */
  startTime: string
  /** Real path of its working directory. */
  cwd: string
  /** Leads its process group, as what we start does; a child that it forked to save does not. */
  leader: boolean
  /** Stopped by a signal. */
  frozen: boolean
}

export type ProcessTable = {
  /** undefined: gone, a zombie, another user's, or no valkey-server. */
  look(pid: number): Promise<ProcessFacts | undefined>
  all(): Promise<ProcessFacts[]>
}

/**
 * A process is judged by its command's name and working directory. Debian's /proc/PID/exe is valkey-check-rdb and the
 * title hides the arguments (facts §7); the name alone would take a shell in the directory for a server.
 */
const isServer = (command: string) => basename(command).startsWith('valkey-server')

/**
 * It ended while it was looked at, or is another user's. Anything else (EMFILE, EIO) says nothing about the process: a
 * server taken for gone would be started a second time on its data, or its files removed under it.
 */
const notOurs: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

/**
 * Reads /proc. Synchronous on purpose: it is memory, and a pass through the thread pool costs ten times the read.
 */
export function procTable(proc = '/proc'): ProcessTable {
  const look = (pid: number): ProcessFacts | undefined => {
    try {
      const stat = readFileSync(`${proc}/${pid}/stat`, 'latin1')
      // The name stands in parentheses and may hold some itself; what follows is fixed (proc(5)).
      const end = stat.lastIndexOf(')')
      if (!isServer(stat.slice(stat.indexOf('(') + 1, end))) return undefined
      const fields = stat.slice(end + 2).split(' ')
      const [state = '', , group = ''] = fields
      const startTime = fields[19]
      if (startTime === undefined || 'ZXx'.includes(state)) return undefined
      const cwd = readlinkSync(`${proc}/${pid}/cwd`).replace(/ \(deleted\)$/, '')
      return { pid, startTime, cwd, leader: Number(group) === pid, frozen: state === 'T' || state === 't' }
    } catch (error) {
      if (notOurs.has((error as NodeJS.ErrnoException).code)) return undefined
      throw error
    }
  }
  return {
    look: async (pid) => look(pid),
    all: async () =>
      readdirSync(proc)
        .filter((name) => /^\d+$/.test(name))
        .flatMap((name) => look(Number(name)) ?? []),
  }
}

const run = promisify(execFile)

/**
 * Asks ps and lsof, where there is no /proc (macOS). The socket's INFO would need the admin's password, which a
 * runtime does not have; these two need none.
 */
export function psTable(): ProcessTable {
  const facts = async (selection: string[]): Promise<ProcessFacts[]> => {
    const { stdout } = await output('ps', [...selection, '-o', 'pid=,pgid=,stat=,lstart=,comm='])
    const rows = stdout.split('\n').flatMap((line) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+\s+\S+\s+\d+\s+[\d:]+\s+\d+)\s+(.+)$/.exec(line)
      const [, pid, group, state = '', startTime = '', command = ''] = match ?? []
      if (!isServer(command) || state.startsWith('Z')) return []
      return [{ pid: Number(pid), startTime, leader: pid === group, frozen: state.startsWith('T') }]
    })
    const cwds = await workingDirectories(rows.map(({ pid }) => pid))
    return rows.flatMap((row) => {
      const cwd = cwds.get(row.pid)
      return cwd === undefined ? [] : [{ ...row, cwd }]
    })
  }
  return {
    look: async (pid) => (await facts(['-p', String(pid)]))[0],
    all: () => facts(['-A']),
  }
}

async function workingDirectories(pids: number[]): Promise<Map<number, string>> {
  const found = new Map<number, string>()
  if (pids.length === 0) return found
  const { stdout } = await output('lsof', ['-a', '-p', pids.join(','), '-d', 'cwd', '-Fpn'])
  let pid = 0
  for (const line of stdout.split('\n')) {
    if (line.startsWith('p')) pid = Number(line.slice(1))
    if (line.startsWith('n')) found.set(pid, line.slice(1).replace(/ \(deleted\)$/, ''))
  }
  return found
}

/** Both tools exit with 1 where some of what was asked for is not there. */
async function output(command: string, args: string[]): Promise<{ stdout: string }> {
  try {
    return await run(command, args, { maxBuffer: 16 * 1024 * 1024, timeout: 5_000 })
  } catch (error) {
    const { code, stdout } = error as { code?: unknown; stdout?: unknown }
    if (typeof code === 'number' && typeof stdout === 'string') return { stdout }
    throw error
  }
}
