/** Who holds a server's port. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { connect, createServer, isIP } from 'node:net'
import type { ProcessFacts } from './process-table.ts'

type Listen = { host: string; port: number }

/** A port that cannot be tried in this time counts as held: something swallows its packets. */
const connectMs = 1_000

type ListeningSocket = { pid: number; startTime: string; port: number; fd: string; inode: string }

/**
 * Tells who holds a server's port. With a process of ours: `ours` where it listens there itself. Without: tried by
 * listening there for a moment. Which descriptor listens is remembered, since finding it makes the kernel walk through
 * all its sockets (4 ms), and asking whether it is still the same costs nothing.
 */
export function makePortHolder() {
  const known = new Map<string, ListeningSocket>()
  return async (id: string, listen: Listen, server: ProcessFacts | null): Promise<'free' | 'ours' | 'stranger'> => {
    if (server) {
      const last = known.get(id)
      if (last && isOf(last, server, listen.port) && (await stillOpen(last))) return 'ours'
      const inodes = await listeningSockets(server.pid, listen)
      // Without /proc: somebody listens, and the run id read over TLS tells whether it is ours.
      if (inodes === undefined) return (await accepts(listen)) ? 'ours' : 'free'
      const found = inodes.size > 0 ? await openSocket(server.pid, inodes) : undefined
      if (found) {
        known.set(id, { ...found, pid: server.pid, startTime: server.startTime, port: listen.port })
        return 'ours'
      }
    }
    known.delete(id)
    return (await canListen(listen)) ? 'free' : 'stranger'
  }
}

const isOf = (socket: ListeningSocket, server: ProcessFacts, port: number) =>
  socket.pid === server.pid && socket.startTime === server.startTime && socket.port === port

/** An inode is one socket's as long as that is open; a socket that listens does so until it is closed. */
const stillOpen = async ({ pid, fd, inode }: ListeningSocket) => (await socketInode(pid, fd)) === inode

const socketInode = async (pid: number, fd: string) =>
  /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))?.[1]

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
async function openSocket(pid: number, inodes: Set<string>): Promise<{ fd: string; inode: string } | undefined> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const fd of names.toSorted((a, b) => Number(a) - Number(b))) {
    const inode = await socketInode(pid, fd)
    if (inode !== undefined && inodes.has(inode)) return { fd, inode }
  }
  return undefined
}
