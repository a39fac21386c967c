/**
 * Bare valkey-servers for tests that ask the engine itself: a unix socket in a temp directory, no TLS, no persistence.
 * What the platform starts is tested through the platform; this is the oracle beside it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'

export type RawValkey = {
  /** As INFO says it, for example `8.0.1`. */
  version: string
  pid: number
  dir: string
  socket: string
  /** One command; RESP3 replies, maps as null-prototype objects. Rejects with the server's error. */
  call: (...args: string[]) => Promise<unknown>
  /** Many commands in one pipeline, answers in order; an error reply is an Error in its place. */
  callAll: (commands: string[][]) => Promise<unknown[]>
  /** One more connection, as another user; gone with the server. Rejects where the login is refused. */
  login: (username: string, password: string) => Promise<RawValkey['call']>
  /** SIGTERM by pid, waits for the exit, removes the directory. Safe to call twice. */
  stop: () => Promise<void>
}

const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`valkey-server ended (${code ?? signal}):\n${log}`)))
    child.stdout?.on('data', (chunk: Buffer) => {
      if (log.length < 65_536) log += chunk.toString()
      if (/ready to accept connections/i.test(log)) resolve()
    })
  })
}

/**
 * Starts one server and connects to it as `default`.
 * @param options.binary of valkeyBinaries (parts.ts)
 * @param options.args further command-line directives, for example `['--aclfile', path]`
 * @param options.dir a directory to start in, kept on stop; a fresh one by default
 * @param options.auth credentials where `default` is off
 * @throws Error with the server's log when it does not come up
 */
export async function startRawValkey(options: {
  binary: string
  args?: string[]
  dir?: string
  auth?: { username: string; password: string }
}): Promise<RawValkey> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'rawvk-'))
  const socket = join(dir, 's')
  const base = ['--port', '0', '--unixsocket', socket, '--dir', dir, '--save', '', '--logfile', '', '--daemonize', 'no']
  const child = spawn(options.binary, [...base, ...(options.args ?? [])], { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  const exited = new Promise<void>((resolve) => {
    const done = () => {
      running.delete(child)
      resolve()
    }
    child.once('exit', done)
    child.once('error', done)
  })
  const sessions: { isOpen: boolean; destroy: () => void }[] = []
  const connect = async (auth?: { username: string; password: string }): Promise<RawValkey['call']> => {
    const client = createClient({
      RESP: 3,
      socket: { path: socket, reconnectStrategy: false },
      disableOfflineQueue: true,
      disableClientInfo: true,
      ...auth,
    })
    client.on('error', () => undefined) // every call rejects on its own; without a listener Node would end the test
    await client.connect()
    sessions.push(client)
    return (...args) => client.sendCommand(args)
  }
  const end = async (): Promise<void> => {
    for (const session of sessions.splice(0)) if (session.isOpen) session.destroy()
    if (running.has(child)) child.kill('SIGTERM')
    await exited
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
  try {
    await untilReady(child)
    const call = await connect(options.auth)
    const version = /valkey_version:(\S+)/.exec(String(await call('INFO', 'server')))?.[1]
    if (version === undefined || child.pid === undefined) throw new Error(`${options.binary} is no valkey-server`)
    return {
      version,
      pid: child.pid,
      dir,
      socket,
      call,
      callAll: (commands) => Promise.all(commands.map((args) => call(...args).catch((error: unknown) => error))),
      login: (username, password) => connect({ username, password }),
      stop: end,
    }
  } catch (error) {
    await end()
    throw error
  }
}
