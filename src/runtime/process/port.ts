/** Who holds a server's port. */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'

export type Listen = { host: string; port: number }

/** A port that cannot be tried in this time counts as held: something swallows its packets. */
const connectMs = 1_000

/**
 * With a process of ours: `ours` where it listens on the port itself. Without: tried by listening on it for a moment.
 * @param pid of the server's process, null where there is none
 */
export async function portHolder(listen: Listen, pid: number | null): Promise<'free' | 'ours' | 'stranger'> {
  if (pid === null) return (await canListen(listen)) ? 'free' : 'stranger'
  const sockets = await listeningSockets(pid, listen.port)
  // Without /proc: somebody listens, and the run id read over TLS tells whether it is ours.
  if (sockets === undefined) return (await accepts(listen)) ? 'ours' : 'free'
  if (sockets.size > 0 && (await holdsOneOf(pid, sockets))) return 'ours'
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
async function listeningSockets(pid: number, port: number): Promise<Set<string> | undefined> {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/${pid}/net/${name}`, 'latin1').catch(() => undefined)),
  )
  if (tables.every((table) => table === undefined)) return undefined
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  // sl local_address rem_address st … : 0A is LISTEN (proc_net_tcp), the tenth word is the inode.
  const listening = new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A(?: +\\S+){5} +(\\d+)`, 'gm')
  return new Set(tables.flatMap((table) => [...(table ?? '').matchAll(listening)].flatMap(([, inode]) => inode ?? [])))
}

/** Listening sockets have the lowest descriptors: those are looked at first. */
async function holdsOneOf(pid: number, inodes: Set<string>): Promise<boolean> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const fd of names.toSorted((a, b) => Number(a) - Number(b))) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}
