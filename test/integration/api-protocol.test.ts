/** What holds for every route: problems, headers, limits, the description, and what is public. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { type ProblemCode, problems } from '../../src/domain/problem.ts'
import { startTestApi, type TestApi } from '../support/api.ts'

type Json = Record<string, unknown>
type Operation = {
  operationId: string
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>
  security?: unknown[]
  requestBody?: Json
}
type Description = { openapi: string; paths: Record<string, Record<string, Operation>>; components: Json }

let api: TestApi
before(async () => {
  api = await startTestApi()
})
after(() => api.close())

const describe = async () => (await api.call<Description>('GET', '/openapi.json', { key: null })).body

test('every error is a problem with the id of its request', async () => {
  const create = `/tenants/${api.tenantId}/valkey-instances`
  const cases: [string, string, Parameters<TestApi['call']>[2], number, ProblemCode][] = [
    ['GET', '/nowhere', {}, 404, 'not-found'],
    ['GET', '/%zz', {}, 404, 'not-found'],
    ['GET', `/valkey-instances/${'x'.repeat(500)}`, {}, 404, 'not-found'],
    ['GET', '/valkey-instances/..%2f..%2fetc', {}, 404, 'not-found'],
    ['GET', '/valkey-instances/ins_1', {}, 404, 'not-found'],
    ['PATCH', '/valkey-instances', { body: {} }, 405, 'method-not-allowed'],
    ['DELETE', '/healthz', { key: null }, 405, 'method-not-allowed'],
    ['POST', create, { raw: '{"name":' }, 400, 'malformed-json'],
    ['POST', create, { raw: '' }, 400, 'malformed-json'],
    ['POST', create, { raw: '{"__proto__":{}}' }, 400, 'malformed-json'],
    ['POST', create, { raw: '{"constructor":{"prototype":{}}}' }, 400, 'malformed-json'],
    ['POST', create, { raw: '{"name":"a"}', contentType: 'text/plain' }, 415, 'unsupported-media-type'],
    [
      'POST',
      create,
      { raw: 'name=a', contentType: 'application/x-www-form-urlencoded' },
      415,
      'unsupported-media-type',
    ],
    ['POST', create, { raw: '{}', contentType: 'application/json;charset' }, 422, 'invalid'],
    ['POST', create, { body: { name: 'x'.repeat(66_000) } }, 413, 'body-too-large'],
    ['POST', create, { raw: `{"name":"${'x'.repeat(10_000_000)}"}` }, 413, 'body-too-large'],
    ['POST', create, {}, 422, 'invalid'],
    ['POST', create, { raw: 'null' }, 422, 'invalid'],
    ['GET', '/valkey-instances?colour=red', {}, 422, 'invalid'],
    ['GET', '/valkey-instances?limit=1&limit=2', {}, 422, 'invalid'],
    ['GET', '/tenants?__proto__=1', {}, 422, 'invalid'],
    ['GET', `/valkey-instances/ins_${'0'.repeat(32)}?x=1`, {}, 422, 'invalid'],
  ]
  for (const [method, path, options, status, code] of cases) {
    const what = `${method} ${path.slice(0, 60)} ${JSON.stringify(options).slice(0, 80)}`
    const answer = await api.call<Json>(method, path, options)
    assert.equal(answer.status, status, `${what}: ${answer.text}`)
    assert.match(String(answer.headers.get('content-type')), /^application\/problem\+json/, what)
    assert.deepEqual([answer.body['code'], answer.body['status']], [code, status], what)
    assert.equal(answer.body['request_id'], answer.headers.get('x-request-id'), what)
    for (const member of ['type', 'title', 'detail', 'remedy']) assert.ok(answer.body[member], `${what}: ${member}`)
    if (status === 405) assert.ok(answer.headers.get('allow'), what)
  }
})

test('every answer has its security headers, and secrets are not to be cached', async () => {
  for (const path of ['/healthz', '/valkey-instances', '/nowhere', '/docs/', '/openapi.json']) {
    const { headers } = await api.call('GET', path)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.match(String(headers.get('cache-control')), /no-store/, path)
    assert.match(String(headers.get('content-security-policy')), /default-src/, path)
    assert.match(String(headers.get('x-request-id')), /^req_[0-9a-f]{32}$/, path)
  }
})

test('the catalogue of problems, both ways: each is thrown somewhere, each is documented', async () => {
  const sources = ['src/api', 'src/control']
    .flatMap((dir) => readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((file) => `${dir}/${file}`))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && file !== 'src/api/schema.ts')
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
  const text = JSON.stringify(await describe())
  // No route answers these two: they are about paths and bytes that no route has.
  const undescribed = ['method-not-allowed', 'malformed-request']
  for (const code of Object.keys(problems)) {
    assert.ok(new RegExp(`(new Problem\\(\\s*|\\[)'${code}'`).test(sources), `${code} is thrown nowhere`)
    assert.ok(text.includes(`\`${code}\``) || undescribed.includes(code), `${code} is not documented`)
  }
})

test('/openapi.json names every route but the page, with each status that it can answer', async () => {
  const description = await describe()
  assert.equal(description.openapi, '3.1.0')
  const described = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const routes = api.app.endpoints
    .filter(({ method, url }) => method !== 'HEAD' && !url.startsWith('/docs') && url !== '/openapi.json')
    .map(({ method, url }) => `${method} ${url.replace(/:([A-Za-z]+)/g, '{$1}')}`)
  assert.deepEqual(described.sort(), routes.sort())
  const ids = new Set<string>()
  for (const item of Object.values(description.paths))
    for (const operation of Object.values(item)) {
      ids.add(operation.operationId)
      const statuses = Object.keys(operation.responses)
      const guarded = operation.security === undefined ? ['401', '403'] : []
      const written = operation.requestBody === undefined ? [] : ['400', '413', '415']
      for (const status of [...guarded, ...written, '422', '429', '500', '503'])
        assert.ok(statuses.includes(status), `${operation.operationId} ${status}`)
      for (const [status, { content }] of Object.entries(operation.responses))
        if (Number(status) >= 400) assert.deepEqual(Object.keys(content ?? {}), ['application/problem+json'])
    }
  assert.equal(ids.size, routes.length)
})

test('the API page comes from the package, and may ask nothing outside', async () => {
  const moved = await api.call('GET', '/docs', { key: null })
  assert.deepEqual([moved.status, moved.headers.get('location')], [308, '/docs/'])
  const page = await api.call('GET', '/docs/', { key: null })
  assert.match(String(page.headers.get('content-type')), /^text\/html/)
  const outside = page.text.match(/https?:\/\/[^"'\s]+/g) ?? []
  assert.deepEqual(outside, [])
  assert.match(String(page.headers.get('content-security-policy')), /^default-src 'self'/)
  const script = await api.call('GET', '/docs/js/scalar.js', { key: null })
  assert.equal(script.status, 200)
})

test('/metrics counts answers by route, operations and instances', async () => {
  const made = await api.call<{ id: string }>('POST', `/tenants/${api.tenantId}/valkey-instances`, {
    body: { name: 'counted' },
  })
  assert.equal(made.status, 202)
  const { text, headers } = await api.call('GET', '/metrics')
  assert.match(String(headers.get('content-type')), /^text\/plain/)
  assert.match(
    text,
    /valkeep_http_requests_total\{route="\/tenants\/:tenantID\/valkey-instances",method="POST",status="202"\} 1/,
  )
  assert.match(text, /valkeep_operations\{kind="create",status="pending"\} 1/)
  assert.match(text, /valkeep_instances\{status="pending",health="unknown"\} 1/)
  assert.match(text, /valkeep_driver_queue\{state="waiting"\} 0/)
  assert.match(text, /nodejs_eventloop_lag_seconds /)
  assert.ok(!text.includes(made.body.id))
})

test('too many requests: 429 with Retry-After, for each key by itself', async (t) => {
  const limited = await startTestApi({ limits: { requestsPerMinute: 5, failedAuthPerMinute: 3 } })
  t.after(() => limited.close())
  const statuses = async (key: string | null, count: number) => {
    const answers = []
    for (let n = 0; n < count; n++) answers.push(await limited.call<Json>('GET', '/valkey-instances', { key }))
    return answers
  }
  const answers = await statuses(limited.adminKey, 6)
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200, 200, 429],
  )
  const last = answers.at(-1)
  assert.equal(last?.body['code'], 'too-many-requests')
  assert.ok(Number(last?.headers.get('retry-after')) > 0)
  assert.equal((await statuses(await limited.makeKey(), 1))[0]?.status, 200)
  const strangers = await statuses('wrong', 4)
  assert.deepEqual(
    strangers.map(({ status }) => status),
    [401, 401, 401, 429],
  )
  assert.ok(Number(strangers.at(-1)?.headers.get('retry-after')) > 0)
  assert.equal((await statuses(await limited.makeKey(), 1))[0]?.status, 200)
})

test('what is no HTTP is answered and closed, and the others are served', async () => {
  const { port } = new URL(api.url)
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write('PING\r\n\r\n'))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
  assert.match(answer, /^HTTP\/1\.1 400 [^]*application\/problem\+json[^]*"code":"malformed-request"/)
  assert.equal((await api.call('GET', '/healthz')).status, 200)
})

test('a content type without a body is no fault where none is needed', async () => {
  const made = await api.call<{ id: string }>('POST', `/tenants/${api.tenantId}/valkey-instances`, {
    body: { name: 'bodiless' },
  })
  const path = `/valkey-instances/${made.body.id}`
  assert.equal((await api.call('POST', `${path}/stop`, { raw: '', contentType: 'application/json' })).status, 202)
  assert.equal((await api.call('DELETE', path, { raw: '', contentType: 'application/json' })).status, 202)
})

test('our own checks name their code', async () => {
  const users = [{ username: 'a', password: 'short', privileges: ['+@admin'], key_pattern: '%R~x' }]
  const answer = await api.call<{ errors: { pointer: string; code: string }[] }>(
    'POST',
    `/tenants/${api.tenantId}/valkey-instances`,
    { body: { name: 'coded', users } },
  )
  assert.equal(answer.status, 422)
  const codes = Object.fromEntries(answer.body.errors.map((error) => [error.pointer, error.code]))
  assert.equal(codes['/users/0/password'], 'too_short')
  assert.notEqual(codes['/users/0/privileges/0'] ?? 'custom', 'custom')
  assert.notEqual(codes['/users/0/key_pattern'] ?? 'custom', 'custom')
})
