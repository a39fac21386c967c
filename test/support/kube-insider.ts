/**
 * A program in the network of a test's Kubernetes: puts questions to its API server and to servers in pods, on connections that it keeps. What a
 * test waits for is asked again and again, and a kubectl for each look would cost more than all pods together. Its argument is a {@link Place} in
 * JSON; each line on standard input is a {@link Question}, each line that it writes an {@link Answer}, in any order.
 */
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { createInterface } from 'node:readline'
import { Valkey } from 'iovalkey'
import { lookUpAt } from './cluster-dns.ts'

/** The kubeconfig is that of `kube-config.ts`, in JSON. */
export type Place = { kubeconfig: string; dns: string }

/** A server, and the user that asks; with TLS, what a client has for it. */
export type Server = { host: string; port: number; user: string; password: string; tls?: Pair }
export type Pair = { ca: string; cert: string; key: string }

export type Question = { id: number } & ({ get: string } | { server: Server; words: string[] })
export type Answer = { id: number; text?: string; error?: string }

const patienceMs = 3_000
const place = JSON.parse(process.argv[2] ?? '') as Place
lookUpAt(place.dns)

const {
  clusters: [at],
  users: [login],
} = JSON.parse(readFileSync(place.kubeconfig, 'utf8')) as {
  clusters: [{ cluster: { server: string; 'certificate-authority': string } }]
  users: [{ user: { token: string } }]
}
const agent = new Agent({ keepAlive: true, ca: readFileSync(at.cluster['certificate-authority']) })
const headers = { authorization: `Bearer ${login.user.token}` }

function get(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(`${at.cluster.server}${path}`, { agent, headers, timeout: patienceMs }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`${path}: ${response.statusCode} ${text}`))
      })
    })
    asked.on('timeout', () => asked.destroy(new Error(`${path}: no answer`)))
    asked.on('error', reject)
    asked.end()
  })
}

const connections = new Map<string, Valkey>()

function connectionTo({ host, port, user, password, tls }: Server): Valkey {
  const known = connections.get(host)
  if (known !== undefined) return known
  const client = new Valkey({
    host,
    port,
    ...(tls && { tls }),
    username: user,
    password,
    connectTimeout: patienceMs,
    commandTimeout: patienceMs,
    retryStrategy: () => null,
    enableReadyCheck: false,
  })
  client.on('error', () => {})
  client.once('end', () => connections.delete(host))
  connections.set(host, client)
  return client
}

/** As valkey-cli prints it without a terminal: an element a line. */
function shown(reply: unknown): string {
  if (Array.isArray(reply)) return reply.map(shown).join('\n')
  if (typeof reply === 'number') return `${reply}`
  return typeof reply === 'string' ? reply.replaceAll('\r', '').replace(/\n$/, '') : ''
}

/** What the server says, an error of its own too; rejects where it says nothing, and begins with a new connection the next time. */
async function ask(server: Server, [command = '', ...words]: string[]): Promise<string> {
  const client = connectionTo(server)
  try {
    return shown(await client.call(command, ...words))
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return error.message
    connections.delete(server.host)
    client.disconnect()
    throw error
  }
}

async function answer(question: Question): Promise<void> {
  const { id } = question
  const text = 'get' in question ? get(question.get) : ask(question.server, question.words)
  const told = await text.then(
    (said): Answer => ({ id, text: said }),
    (error: Error): Answer => ({ id, error: error.message }),
  )
  process.stdout.write(`${JSON.stringify(told)}\n`)
}

createInterface({ input: process.stdin }).on('line', (line) => void answer(JSON.parse(line) as Question))
