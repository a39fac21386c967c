/** Who holds a server's port. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { connect, createServer, isIP } from 'node:net'
import type { ProcessFacts } from './process-table.ts'

type Listen = { host: string; port: number }

/** A port that cannot be tried in this time counts as held: something swallows its packets. */
const connectMs = 1_000

/**
 * Tells who holds a server's port. With a process of ours: `ours` where it listens there itself, which costs the kernel
 * a walk through all its sockets (4 ms). Without: tried by listening there for a moment.
 */
export async function portHolder(listen: Listen, server: ProcessFacts | null): Promise<'free' | 'ours' | 'stranger'> {
  if (server) {
    const inodes = await listeningSockets(server.pid, listen)
    // Without /proc: somebody listens, and the run id read over TLS tells whether it is ours.
    if (inodes === undefined) return (await accepts(listen)) ? 'ours' : 'free'
    if (inodes.size > 0 && (await hasOpen(server.pid, inodes))) return 'ours'
  }
  return (await canListen(listen)) ? 'free' : 'stranger'
}

function canListen({ host, port }: Listen): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    // An address that this machine does not have is nobody's: the start says so in its own words.
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code !== 'EADDRINUSE' && error.code !== 'EACCES'),
    )
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

function accepts({ host, port }: Listen): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: connectMs })
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(true))
    socket.once('error', () => end(false))
  })
}

/** Inodes of the sockets that listen on a port in the network namespace of a process; undefined without /proc. */
async function listeningSockets(pid: number, { host, port }: Listen): Promise<Set<string> | undefined> {
  const table = isIP(host) === 4 ? 'tcp' : 'tcp6'
  const text = await readFile(`/proc/${pid}/net/${table}`, 'latin1').catch(() => undefined)
  if (text === undefined) return undefined
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  // sl local_address rem_address st … : 0A is LISTEN (proc_net_tcp), the tenth word is the inode.
  const listening = new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A(?: +\\S+){5} +(\\d+)`, 'gm')
  return new Set([...text.matchAll(listening)].flatMap(([, inode]) => inode ?? []))
}

/** Listening sockets have the lowest descriptors: those are looked at first. */
async function hasOpen(pid: number, inodes: Set<string>): Promise<boolean> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const fd of names.toSorted((a, b) => Number(a) - Number(b))) {
    const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))?.[1]
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}
