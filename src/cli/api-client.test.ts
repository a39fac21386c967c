import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { makeApiClient, parseApiUrl, path } from './api-client.ts'
import { CliError } from './exit-code.ts'

type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string }
type Reply = { status: number; body?: string; headers?: Record<string, string> }

/** A server that gives the replies in turn and remembers what it was asked. */
async function serve(replies: Reply[]) {
  const seen: Seen[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body })
      const reply = replies.shift() ?? { status: 500, body: 'none left' }
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
      response.end(reply.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => server.close())
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return { seen, client: makeApiClient(url, 'the-key', { timeoutMs: 2000 }) }
}

const exits = (code: number, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof CliError, String(error))
  assert.equal(error.exitCode, code)
  if (message) assert.match(error.message, message)
  return true
}

test('reads are tried again, changes are not', async () => {
  const busy = { status: 503, body: '{"title":"Not ready","code":"unavailable"}' }
  const { seen, client } = await serve([busy, busy, { status: 200, body: '{"id":"x"}' }, busy])
  assert.deepEqual(await client.get('/a', { limit: 3, cursor: undefined }), { id: 'x' })
  assert.deepEqual(
    seen.map((one) => one.url),
    ['/a?limit=3', '/a?limit=3', '/a?limit=3'],
  )
  await assert.rejects(client.send('POST', '/b', { n: 1 }), exits(1, /Not ready/))
  assert.equal(seen.length, 4)
})

test('the key and one idempotency key for each POST are sent, and nothing on a redirect', async () => {
  const ok = { status: 202, body: '{"id":"x"}', headers: { location: '/operations/op_1' } }
  const { seen, client } = await serve([ok, ok, { status: 302, headers: { location: 'http://127.0.0.1:9/elsewhere' } }])
  assert.deepEqual(await client.send('POST', '/a', { n: 1 }), { body: { id: 'x' }, operationId: 'op_1' })
  await client.send('POST', '/a')
  const [first, second] = seen
  assert.equal(first?.headers.authorization, 'Bearer the-key')
  assert.match(String(first?.headers['idempotency-key']), /^[0-9a-f-]{36}$/)
  assert.notEqual(first?.headers['idempotency-key'], second?.headers['idempotency-key'])
  assert.equal(first?.body, '{"n":1}')
  assert.equal(second?.headers['content-type'], undefined)
  await assert.rejects(client.send('DELETE', '/a'), exits(3))
})

test('lists are read page by page, up to the limit', async () => {
  const page = (items: number[], next: string | null): Reply => ({
    status: 200,
    body: JSON.stringify({ items, next_cursor: next }),
  })
  const { seen, client } = await serve([page([1, 2], 'c1'), page([3], null), page([1, 2], 'c1')])
  assert.deepEqual(await client.list('/n', {}, 50), { items: [1, 2, 3], more: false })
  assert.deepEqual(
    seen.map((one) => one.url),
    ['/n?limit=50', '/n?limit=48&cursor=c1'],
  )
  assert.deepEqual(await client.list('/n', {}, 2), { items: [1, 2], more: true })
})

test('what is no platform is said to be none', async () => {
  const html = { 'content-type': 'text/html' }
  const { client } = await serve([
    { status: 200, body: '<p>', headers: html },
    { status: 404, body: 'nope', headers: html },
    { status: 200, body: 'not json' },
    { status: 204 },
  ])
  await assert.rejects(client.get('/a'), exits(1, /not as a Valkeep platform/))
  await assert.rejects(client.get('/a'), exits(1, /answered 404 and not as/))
  await assert.rejects(client.get('/a'), exits(1, /not as a Valkeep platform/))
  assert.deepEqual(await client.send('DELETE', '/a'), { body: undefined, operationId: null })
})

test('where nothing listens, it says so without the key', async () => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  const client = makeApiClient(new URL(`http://127.0.0.1:${port}`), 'the-key')
  await assert.rejects(
    client.get('/a'),
    (error: CliError) => exits(3, /ECONNREFUSED/)(error) && !JSON.stringify(error).includes('the-key'),
  )
})

test('plain http is for loopback only', () => {
  for (const url of [
    'http://127.0.0.1:7070',
    'http://localhost',
    'http://[::1]:1',
    'https://valkeep.example',
    'http://127.9.9.9',
  ])
    assert.equal(parseApiUrl(url).href, new URL(url).href)
  for (const url of [
    'http://valkeep.example',
    'http://127.0.0.1.example',
    'http://10.0.0.1:7070',
    'http://localhost.example',
    'ftp://127.0.0.1',
    'nonsense',
    'https://a:b@c',
    'https://c?x=1',
  ])
    assert.throws(() => parseApiUrl(url), exits(2), url)
})

test('what a person typed never adds a segment to a path', () => {
  assert.equal(path`/valkey-users/${'../x?y#z'}/retry`, '/valkey-users/..%2Fx%3Fy%23z/retry')
})
