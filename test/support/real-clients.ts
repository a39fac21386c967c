/**
 * Real Valkey clients behind one small shape, so that one test says of all of them what it wants: each connects with what
 * GET /valkey-instances/{id}/connection prints.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { GlideClient, Logger } from '@valkey/valkey-glide'
import { Valkey } from 'iovalkey'
import type { Connection } from '../../src/domain/connection.ts'
import { requirePart } from './parts.ts'

export type Login = {
  at: Pick<Connection, 'host' | 'port' | 'ca_pem' | 'server_name' | 'uri_template'>
  username: string
  password: string
  /** PEM to trust in place of the instance's own. */
  ca?: string
  /** Without TLS. */
  plain?: boolean
  /** By uri_template, filled in, where the client can. */
  byUri?: boolean
}

export type ClientSession = {
  /** The reply as text. Rejects with the server's error, and once the connection has been dropped for good. */
  call(...args: string[]): Promise<string>
  close(): Promise<void>
}

export type RealClient = {
  /** Connects and proves it with a PING; rejects where that is refused. Nothing is left open then. */
  open(login: Login): Promise<ClientSession>
  /** Ends what the client keeps running. */
  end(): Promise<void>
}

const uriOf = ({ at, username, password }: Login): string =>
  at.uri_template
    .replace('{username}', encodeURIComponent(username))
    .replace('{password}', encodeURIComponent(password))

const caOf = ({ at, ca }: Login): string => ca ?? at.ca_pem

async function openIovalkey(login: Login): Promise<ClientSession> {
  const { at, username, password, plain, byUri } = login
  const tls = plain === true ? {} : { tls: { ca: caOf(login), servername: at.server_name } }
  const options = {
    ...tls,
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 5_000,
    commandTimeout: 10_000,
  }
  const client =
    byUri === true
      ? new Valkey(uriOf(login), options)
      : new Valkey({ host: at.host, port: at.port, username, password, ...options })
  // What TLS says comes here; the rejection itself says only that the connection is closed.
  let cause: unknown = null
  client.on('error', (error) => {
    cause ??= error
  })
  const session: ClientSession = {
    call: async (command = '', ...args) => String(await client.call(command, ...args)),
    close: async () => client.disconnect(),
  }
  try {
    await client.connect()
    await session.call('PING')
    return session
  } catch (error) {
    client.disconnect()
    throw cause ?? error
  }
}

// It would tell of every refused login on stderr.
Logger.init('off')

async function openGlide(login: Login): Promise<ClientSession> {
  const { at, username, password, plain } = login
  const tls = plain === true ? {} : { tlsAdvancedConfiguration: { rootCertificates: caOf(login) } }
  const client = await GlideClient.createClient({
    addresses: [{ host: at.host, port: at.port }],
    useTLS: plain !== true,
    credentials: { username, password },
    requestTimeout: 1_000,
    connectionBackoff: { numberOfRetries: 1, factor: 10, exponentBase: 2 },
    advancedConfiguration: { connectionTimeout: 5_000, ...tls },
  })
  return {
    async call(...args) {
      const reply = await client.customCommand(args)
      return typeof reply === 'string' ? reply : JSON.stringify(reply)
    },
    close: async () => client.close(),
  }
}

const answerMs = 30_000

/** Gives each request's answer to whoever asked, in turn. */
function inTurn() {
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = []
  const end = (why: string) => {
    for (const { reject } of waiting.splice(0)) reject(new Error(why))
  }
  return {
    async next(): Promise<string> {
      const overdue = setTimeout(() => end('the client does not answer'), answerMs)
      try {
        return await new Promise<string>((resolve, reject) => waiting.push({ resolve, reject }))
      } finally {
        clearTimeout(overdue)
      }
    },
    answer: (line: string) => waiting.shift()?.resolve(line),
    end,
  }
}

const failed = /^(Error:|AUTH failed:|\(error\)|NOPERM |NOAUTH |WRONGPASS |ERR |Could not connect|SSL_connect failed)/

/** One valkey-cli that reads commands from its standard input; its password is in its environment, never in argv. */
async function openValkeyCli(program: string, login: Login): Promise<ClientSession> {
  const { at, username, password, plain } = login
  const dir = mkdtempSync(join(tmpdir(), 'valkeep-client-'))
  const caFile = join(dir, 'ca.pem')
  writeFileSync(caFile, caOf(login))
  const tls = plain === true ? [] : ['--tls', '--cacert', caFile, '--sni', at.server_name]
  const args = ['-h', at.host, '-p', String(at.port), ...tls, '--user', username]
  const child = spawn(program, args, { env: { PATH: process.env['PATH'] ?? '', REDISCLI_AUTH: password } })
  const turns = inTurn()
  let said = ''
  child.stdin.on('error', () => {})
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line !== '') turns.answer(line)
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    said += `${line}\n`
    // A refused login is told here, and then asks for a command all the same.
    if (failed.test(line)) turns.answer(line)
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void closed.then(() => turns.end(`valkey-cli ended: ${said}`))
  const session: ClientSession = {
    async call(...words) {
      const answer = turns.next()
      child.stdin.write(`${words.map((word) => JSON.stringify(word)).join(' ')}\n`)
      const line = await answer
      if (failed.test(line)) throw new Error(line)
      return line
    },
    async close() {
      child.stdin.end()
      child.kill()
      await closed
      rmSync(dir, { recursive: true, force: true })
    },
  }
  try {
    await session.call('PING')
    return session
  } catch (error) {
    await session.close()
    throw error
  }
}

const driver = fileURLToPath(new URL('./python-client.py', import.meta.url))

/** One Python process for all sessions of a library: importing it takes a second. */
function pythonClient(python: string, library: 'valkey-py' | 'glide'): RealClient {
  let child: ChildProcessWithoutNullStreams | null = null
  const turns = inTurn()
  let sessions = 0
  const start = () => {
    const started = spawn(python, [driver, library])
    let said = ''
    started.stderr.on('data', (chunk) => {
      said += chunk
    })
    createInterface({ input: started.stdout }).on('line', (line) => {
      // GLIDE writes its log there too.
      if (line.startsWith('{')) turns.answer(line)
    })
    started.once('close', () => turns.end(`python ended: ${said}`))
    return started
  }
  const ask = async (request: object): Promise<string> => {
    child ??= start()
    const answer = turns.next()
    child.stdin.write(`${JSON.stringify(request)}\n`)
    const { reply, error } = JSON.parse(await answer) as { reply?: string; error?: string }
    if (error !== undefined) throw new Error(error)
    return reply ?? ''
  }
  return {
    async open(login) {
      const session = ++sessions
      const { at, username, password, plain } = login
      const fields = { host: at.host, port: at.port, username, password, tls: plain !== true, ca: caOf(login) }
      const uri = login.byUri === true && library === 'valkey-py' ? { uri: uriOf(login) } : {}
      await ask({ op: 'open', session, ...fields, ...uri })
      return {
        call: (...args) => ask({ op: 'call', session, args }),
        close: async () => void (await ask({ op: 'close', session })),
      }
    },
    async end() {
      if (child === null) return
      const ended = new Promise((resolve) => child?.once('close', resolve))
      child.stdin.end()
      await ended
    },
  }
}

/** Every client by its name; undefined, and the test skipped or failed, where its part is missing here. */
export const realClients: Record<string, (t: TestContext) => RealClient | undefined> = {
  'valkey-cli': (t) => {
    const program = requirePart(t, 'valkey-cli')
    return program === undefined ? undefined : { open: (login) => openValkeyCli(program, login), end: async () => {} }
  },
  iovalkey: () => ({ open: openIovalkey, end: async () => {} }),
  '@valkey/valkey-glide': () => ({ open: openGlide, end: async () => {} }),
  'valkey-py': (t) => {
    const python = requirePart(t, 'python')
    return python === undefined ? undefined : pythonClient(python, 'valkey-py')
  },
  'valkey-glide for Python': (t) => {
    const python = requirePart(t, 'python')
    return python === undefined ? undefined : pythonClient(python, 'glide')
  },
}
