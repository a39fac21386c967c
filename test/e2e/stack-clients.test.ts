/**
 * Ordinary client libraries on a running stack of every line: each of the four users connects with the CA, the client's certificate and
 * its own password, and does what it may.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { createClient } from '@redis/client'
import { GlideClient, Logger } from '@valkey/valkey-glide'
import { Valkey } from 'iovalkey'
import { certificateFiles as names } from '../../src/domain/stack/places.ts'
import { finished } from '../support/cli-process.ts'
import { requirePart, valkeyBinaries } from '../support/parts.ts'
import { engineOf, makeStack, type Stack, type StackServer, startStackServer } from '../support/stack.ts'

type Tls = { ca: string; cert: string; key: string }
/** One connection: who, and what it sends. Paths are of the same PEM texts. */
type Visit = {
  host: string
  port: number
  username: string
  password: string
  commands: string[][]
  tls: Tls
  files: Tls
}
/** Replies as text in turn, an error's text in its place; or the error of a connection that did not come about. */
type Outcome = { replies: string[] } | { refused: string }
type Client = (visits: Visit[]) => Promise<Outcome[]>

const textOf = (reply: unknown): string => (typeof reply === 'string' ? reply : JSON.stringify(reply))
const messageOf = (error: unknown): string => (error as Error).message

/** Opens, sends, closes, one visit after the other. */
const eachVisit =
  (open: (visit: Visit) => Promise<{ call: (words: string[]) => Promise<unknown>; close: () => void }>): Client =>
  async (visits) => {
    const outcomes: Outcome[] = []
    for (const visit of visits) {
      try {
        const { call, close } = await open(visit)
        const replies = []
        for (const command of visit.commands) replies.push(await call(command).then(textOf, messageOf))
        close()
        outcomes.push({ replies })
      } catch (error) {
        outcomes.push({ refused: messageOf(error) })
      }
    }
    return outcomes
  }

const iovalkey = eachVisit(async ({ host, port, username, password, tls }) => {
  const client = new Valkey({ host, port, username, password, tls, lazyConnect: true, retryStrategy: () => null })
  client.on('error', () => undefined)
  await client.connect()
  return { call: ([command = '', ...args]) => client.call(command, ...args), close: () => client.disconnect() }
})

const redisClient = eachVisit(async ({ host, port, username, password, tls }) => {
  const client = createClient({
    username,
    password,
    socket: { host, port, tls: true, ...tls, reconnectStrategy: false },
  })
  client.on('error', () => undefined)
  await client.connect()
  return { call: (words) => client.sendCommand(words), close: () => client.destroy() }
})

// It would tell of every refused login on stderr.
Logger.init('off')

type Request = Record<string, unknown>
const inner = GlideClient.prototype as unknown as { createClientRequest: (options: object) => Request }
const withoutCertificate = inner.createClientRequest

/** The core beneath takes a client's certificate; the Node package of this version has no option that hands one over. */
const glide =
  (hasCertificate: boolean): Client =>
  (visits) =>
    eachVisit(async ({ host, port, username, password, tls }) => {
      const pair = { clientCert: Buffer.from(tls.cert), clientKey: Buffer.from(tls.key) }
      inner.createClientRequest = function (this: GlideClient, options) {
        return { ...withoutCertificate.call(this, options), ...(hasCertificate ? pair : {}) }
      }
      const client = await GlideClient.createClient({
        addresses: [{ host, port }],
        useTLS: true,
        credentials: { username, password },
        connectionBackoff: { numberOfRetries: 1, factor: 10, exponentBase: 2 },
        advancedConfiguration: { connectionTimeout: 5_000, tlsAdvancedConfiguration: { rootCertificates: tls.ca } },
      })
      return { call: (words) => client.customCommand(words), close: () => client.close() }
    })(visits)

/** Its password is in its environment, never in argv. */
const valkeyCli =
  (program: string): Client =>
  (visits) =>
    Promise.all(
      visits.map(async ({ host, port, username, password, commands, files }) => {
        const { ca, cert, key } = files
        const tls = ['--tls', '--cacert', ca, '--cert', cert, '--key', key]
        const env = { PATH: process.env['PATH'] ?? '', REDISCLI_AUTH: password }
        const child = spawn(program, ['-h', host, '-p', String(port), ...tls, '--user', username], { env })
        child.stdin.end(commands.map((words) => `${words.map((word) => JSON.stringify(word)).join(' ')}\n`).join(''))
        const { stdout, stderr } = await finished(child)
        if (stderr !== '') return { refused: stderr }
        return { replies: stdout.split('\n').filter((line) => line !== '') }
      }),
    )

const PYTHON = `
import asyncio, json, sys

def text(reply):
    return reply.decode() if isinstance(reply, bytes) else reply if isinstance(reply, str) else json.dumps(reply)

async def valkey_py(visit):
    import valkey
    tls, names = visit["files"], ("host", "port", "username", "password")
    client = valkey.Valkey(**{name: visit[name] for name in names}, ssl=True, ssl_ca_certs=tls["ca"],
                           ssl_certfile=tls["cert"], ssl_keyfile=tls["key"], ssl_check_hostname=True)
    async def call(words):
        reply = client.execute_command(*words)
        return "OK" if reply is True and words[0] == "SET" else "PONG" if reply is True else reply
    client.connection_pool.get_connection("PING").connect()
    return call

async def glide(visit):
    import glide
    tls = {name: pem.encode() for name, pem in visit["tls"].items()}
    client = await glide.GlideClient.create(glide.GlideClientConfiguration(
        [glide.NodeAddress(visit["host"], visit["port"])], use_tls=True,
        credentials=glide.ServerCredentials(username=visit["username"], password=visit["password"]),
        reconnect_strategy=glide.BackoffStrategy(0, 1, 2),
        advanced_config=glide.AdvancedGlideClientConfiguration(connection_timeout=5000, tls_config=glide.TlsAdvancedConfiguration(
            root_pem_cacerts=tls["ca"], client_cert_pem=tls["cert"], client_key_pem=tls["key"]))))
    return client.custom_command

async def main():
    outcomes = []
    for visit in json.load(sys.stdin):
        try:
            call = await {"valkey-py": valkey_py, "glide": glide}[sys.argv[1]](visit)
        except Exception as error:
            outcomes.append({"refused": str(error)})
            continue
        replies = []
        for words in visit["commands"]:
            try:
                replies.append(text(await call(words)))
            except Exception as error:
                replies.append(str(error))
        outcomes.append({"replies": replies})
    print("\\n" + json.dumps(outcomes))

asyncio.run(main())
`

const python =
  (program: string, library: 'valkey-py' | 'glide'): Client =>
  async (visits) => {
    const child = spawn(program, ['-c', PYTHON, library])
    child.stdin.end(JSON.stringify(visits))
    const { status, stdout, stderr } = await finished(child)
    assert.equal(status, 0, stderr)
    // GLIDE writes its log there too.
    return JSON.parse(stdout.split('\n').findLast((line) => line.startsWith('[{')) ?? '') as Outcome[]
  }

const part = (t: TestContext, name: 'python' | 'valkey-cli', of: (program: string) => Client): Client | undefined => {
  const program = requirePart(t, name)
  return program === undefined ? undefined : of(program)
}

/** Every library by its name; undefined, and the test skipped or failed, where its part is missing here. */
const clients: Record<string, (t: TestContext) => Client | undefined> = {
  iovalkey: () => iovalkey,
  '@redis/client': () => redisClient,
  'valkey-cli': (t) => part(t, 'valkey-cli', valkeyCli),
  'valkey-py': (t) => part(t, 'python', (program) => python(program, 'valkey-py')),
  'valkey-glide for Node': () => glide(true),
  'valkey-glide for Python': (t) => part(t, 'python', (program) => python(program, 'glide')),
}
const isGlide = (name: string) => name.includes('glide')

/** What each user does, and what comes of it. */
const users: Record<string, [command: string, reply: RegExp][]> = {
  'mcp-agent': [
    ['SET molis:blocked:e2e by-agent', /^OK$/],
    ['GET molis:blocked:e2e', /^"?by-agent"?$/],
    ['SET molis:other x', /permission/i],
    ['DEL molis:blocked:e2e', /permission/i],
  ],
  'mcp-admin': [
    ['SET molis:other x', /^OK$/],
    ['DEL molis:other', /^1$/],
    ['SET other x', /permission/i],
    ['FLUSHALL', /unknown command/i],
  ],
  'log-writer': [
    ['ZADD molis:log:events 1 event', /^[01]$/],
    ['ZCARD molis:log:events', /^1$/],
    ['GET molis:log:events', /permission/i],
  ],
  healthcheck: [
    ['PING', /^PONG$/],
    ['GET molis:blocked:e2e', /permission/i],
  ],
}

/** The certificates of all: new keys take seconds. */
let made: Stack
before(async () => {
  made = await makeStack()
})
after(() => made?.remove())

for (const { version, path: binary } of valkeyBinaries())
  describe(`client libraries on a stack on valkey ${version}`, () => {
    let stack: Stack
    let server: StackServer
    before(async () => {
      stack = await makeStack({ engine: engineOf(version), certificatesOf: made })
      server = await startStackServer({ binary, stack })
    })
    after(async () => {
      await server?.stop()
      stack?.remove()
    })

    const visit = (username: string, over: Partial<Visit> = {}): Visit => ({
      host: 'localhost',
      port: server.port,
      username,
      password: stack.passwordOf(username),
      commands: (users[username] ?? []).map(([command]) => command.split(' ')),
      tls: { ca: stack.pem(names.caCert), cert: stack.pem(names.clientCert), key: stack.pem(names.clientKey) },
      files: {
        ca: join(stack.certs, names.caCert),
        cert: join(stack.certs, names.clientCert),
        key: join(stack.certs, names.clientKey),
      },
      ...over,
    })

    for (const [name, find] of Object.entries(clients))
      test(`${name}: the users connect and do what they may`, async (t) => {
        const client = find(t)
        if (client === undefined) return
        const outcomes = await client([
          ...Object.keys(users).map((user) => visit(user)),
          visit('mcp-agent', { password: stack.passwordOf('mcp-admin') }),
        ])
        for (const [i, [user, expected]] of Object.entries(users).entries()) {
          const outcome = outcomes[i] ?? assert.fail()
          if (isGlide(name) && user === 'log-writer') {
            assert.ok('refused' in outcome, 'GLIDE does not connect without INFO, which log-writer has not')
            assert.match(outcome.refused, /log-writer has no permissions to run the 'info' command/)
            continue
          }
          assert.ok('replies' in outcome, `${user}: ${JSON.stringify(outcome)}`)
          for (const [at, [command, reply]] of expected.entries())
            assert.match(outcome.replies[at] ?? '', reply, `${user}: ${command}`)
          assert.equal(outcome.replies.length, expected.length)
        }
        assert.ok('refused' in (outcomes.at(-1) ?? {}), 'with the password of another user')
      })

    test('valkey-glide for Node by its options alone shows no certificate, and is refused', async () => {
      const [outcome] = await glide(false)([visit('mcp-admin')])
      assert.ok(outcome !== undefined && 'refused' in outcome)
      assert.match(outcome.refused, /^Connection error/)
    })
  })
