/**
 * A program: answers questions for addresses of IPv4 by UDP, as a cluster's DNS does for names of pods. Its arguments are the address to listen at and
 * a file of lines `NAME ADDRESS`, read anew at each question; what stands in no line does not exist. It says when it listens. As long as there is a
 * file beside that one, `.lossy` added to its name, the first questions of each asker for what does not exist are lost, as in a network.
 */
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync } from 'node:fs'

const [listen = '', file = ''] = process.argv.slice(2)
const headerBytes = 12
const A = 1
const noSuchName = 3

/** @returns the name asked for, the type, and where the question ends */
function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = headerBytes
  for (let length = message.readUInt8(at++); length > 0; length = message.readUInt8(at++)) {
    labels.push(message.toString('latin1', at, at + length))
    at += length
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at), end: at + 4 }
}

/** Its name is that of the question, at offset 12; it may be kept for a second. */
const record = (address: string): Buffer =>
  Buffer.from([0xc0, headerBytes, 0, A, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)])

/** When each asker lost the first one. */
const losses = new Map<string, number>()

/** For half a second from then. */
function isLost(asker: string): boolean {
  if (!existsSync(`${file}.lossy`)) return false
  const now = performance.now()
  const first = losses.get(asker) ?? now
  losses.set(asker, first)
  return now - first < 500
}

/** @returns nothing for a question that is lost */
function answer(message: Buffer, asker: string): Buffer | undefined {
  const { name, type, end } = readQuestion(message)
  const lines = readFileSync(file, 'utf8').split('\n')
  const found = lines.flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1)] : []))
  if (found.length === 0 && isLost(asker)) return undefined
  const records = type === A ? found.map(record) : []
  const header = Buffer.alloc(headerBytes)
  message.copy(header, 0, 0, 2)
  // A response with authority, to one that wanted and gets recursion.
  header.writeUInt16BE(0x8580 | (found.length > 0 ? 0 : noSuchName), 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, message.subarray(headerBytes, end), ...records])
}

const socket = createSocket('udp4')
socket.on('message', (message, { port, address }) => {
  const told = answer(message, address)
  if (told !== undefined) socket.send(told, port, address)
})
socket.bind(53, listen, () => process.stdout.write('listening\n'))
