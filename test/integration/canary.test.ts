/**
 * A canary in every place where a person may put a password, right or wrong, and every secret that the platform makes by
 * itself: none is anywhere but where it has to be. The platform runs as a process of its own and logs all it can.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, test } from 'node:test'
import { fileKeyProvider } from '../../src/vault/key-provider.ts'
import { makeVault } from '../../src/vault/vault.ts'
import { connect } from '../../src/valkey/client.ts'
import { finished, type Result } from '../support/cli-process.ts'
import type { CallOptions, HttpAnswer } from '../support/http.ts'
import { filesBelow, leaksIn, type Secret, walk, watchProcesses } from '../support/leaks.ts'
import { processesIn } from '../support/left-behind.ts'
import { misplaced } from '../support/misplaced.ts'
import { type PlatformProcess, startPlatformProcess } from '../support/platform-process.ts'

/** In every canary, and in nothing else on earth. */
const mark = `Kanari${randomBytes(6).toString('hex')}`
const canary = (place: string) => `${mark}-${place}`
const marked: Secret = { name: 'a canary', text: mark }
/** The name of a field, which an answer repeats to the one who sent it, and nothing else keeps. */
const named = `Kanari${randomBytes(6).toString('hex')}`

/** Where the canaries in a text were put: what a failure shows. */
const placesIn = (text: string): string[] => text.match(new RegExp(`.{0,60}${mark}-[a-z-]+`, 'gi')) ?? []

type View = { id: string; username: string; password: string; key: string; status: string; users: View[] }
type Answer = { what: string; text: string; shown: string[] }

let platform: PlatformProcess
let instance: string
let user: string
let platformOutput: Promise<Result>
let watch: ReturnType<typeof watchProcesses>
/** Every answer of the API and every output of the CLI. */
const answers: Answer[] = []
/** What the platform generated and showed once. */
const generated: Secret[] = []

before(async () => {
  watch = watchProcesses(() => [marked, ...generated])
  platform = await startPlatformProcess([
    ...['--log-level', 'trace', '--sweep-interval-s', '1'],
    ...['--attempts', '1', '--attempt-timeout-ms', '1000'],
  ])
  platformOutput = finished(platform.cli.platform() ?? assert.fail())
  generated.push({ name: "the admin's API key", text: platform.adminKey })
})
after(async () => {
  watch.stop()
  await platform.remove()
})

/** @param shown fields of the answer that hold a generated secret, shown this once */
async function call(
  method: string,
  path: string,
  options: CallOptions = {},
  shown: string[] = [],
): Promise<HttpAnswer<View>> {
  const answer = await platform.call<View>(method, path, options)
  const headers = JSON.stringify(Object.fromEntries(answer.headers))
  answers.push({ what: `${method} ${path} ${answer.status}`, text: headers + answer.text, shown })
  return answer
}

async function done(answer: HttpAnswer<View>): Promise<HttpAnswer<View>> {
  const result = await platform.done(answer)
  await call('GET', String(answer.headers.get('location')))
  return result
}

const keep = (name: string, text: string): string => {
  assert.ok(text.length >= 12, name)
  generated.push({ name, text })
  return text
}

test('passwords that are given and passwords that are generated do what they are for', async () => {
  const users = [
    { username: 'given', privileges: ['full'], password: canary('nested') },
    { username: 'made', privileges: ['full'] },
  ]
  const body = { name: 'main', max_memory_mb: 16, users }
  const headers = { 'idempotency-key': 'create' }
  const path = `/tenants/${platform.tenantId}/valkey-instances`
  const [first, second] = [
    await call('POST', path, { body, headers }, ['a nested password']),
    await call('POST', path, { body, headers }),
  ]
  const [made] = first.body.users
  keep('a nested password', String(made?.password))
  assert.equal(second.body.id, first.body.id)
  await done(first)
  instance = `/valkey-instances/${first.body.id}`
  await done(
    await call('PATCH', instance, { body: { settings: { slowlog_log_slower_than_us: 0, slowlog_max_len: 10_000 } } }),
  )

  const post = {
    body: { username: 'own', privileges: ['full'], password: canary('create') },
    headers: { 'idempotency-key': 'user' },
  }
  const own = await done(await call('POST', `${instance}/users`, post))
  user = `/valkey-users/${own.body.id}`
  assert.equal((await call('POST', `${instance}/users`, post)).body.id, own.body.id)
  const other = { ...post, body: { ...post.body, password: canary('conflict') } }
  assert.equal((await call('POST', `${instance}/users`, other)).status, 409)
  assert.equal((await call('POST', `${instance}/users`, { body: post.body })).status, 409)
  await done(await call('PUT', user, { body: { password: canary('update') } }))

  const drawn = await call('POST', `${instance}/users`, { body: { username: 'drawn', privileges: ['full'] } }, [
    'a password',
  ])
  keep('a password', drawn.body.password)
  await done(drawn)
  const session = await call('POST', `${instance}/sessions`, { body: {} }, ["a session's password"])
  keep("a session's password", session.body.password)
  const key = await call('POST', '/api-keys', { body: { name: 'ci', scopes: ['valkey:read'] } }, ['an API key'])
  keep('an API key', key.body.key)
  await call('GET', '/valkey-instances', { key: key.body.key })
  await call('GET', '/valkey-instances', { key: `${key.body.key.slice(0, -1)}_` })
})

test('passwords in a wrong place are refused', async () => {
  for (const [method, path, body] of misplaced({ tenantId: platform.tenantId, instance, user }, canary, named)) {
    const answer = await call(method, path, { body })
    assert.equal(answer.status, 422, `${method} ${path} ${JSON.stringify(body)}: ${answer.text}`)
  }
  const users = `${instance}/users`
  const body = JSON.stringify({ username: 'wrong', privileges: ['full'], password: canary('raw') })
  const raw: [status: number, path: string, options: CallOptions][] = [
    [400, users, { raw: body.slice(0, -1) }],
    [400, users, { raw: `${canary('no-json')} ${body}` }],
    [400, users, { raw: `{"__proto__":{"password":"${canary('proto')}"}}` }],
    [413, users, { raw: body.replace('"full"', `"${'x'.repeat(70_000)}"`) }],
    [415, users, { raw: body, contentType: 'text/plain' }],
    [415, users, { raw: `password=${canary('form')}`, contentType: 'application/x-www-form-urlencoded' }],
    [415, users, { raw: body, contentType: `application/${canary('type')}` }],
    [404, '/no-such-path', { raw: body }],
    [404, '/valkey-instances/ins_00000000000000000000000000000000/users', { raw: body }],
    [405, user, { raw: body }],
    [401, users, { raw: body, key: null }],
    [401, users, { raw: body, key: canary('bearer') }],
    [401, users, { raw: body, key: null, headers: { authorization: `Basic ${btoa(`me:${canary('basic')}`)}` } }],
    [422, users, { raw: body, headers: { 'idempotency-key': `${canary('idempotency')} x` } }],
    [422, `${users}?password=${canary('query')}`, { raw: body.replace('full', '+@nothing') }],
    [404, `/valkey-users/${canary('id')}/retry`, { raw: '{}' }],
    [404, `/${canary('path')}`, { raw: body }],
  ]
  for (const [status, path, options] of raw) {
    const answer = await call('POST', path, options)
    assert.equal(answer.status, status, `${path} ${JSON.stringify(options)}: ${answer.text}`)
  }
  await call('GET', `/valkey-instances?password=${canary('list')}`)
  await call('GET', `/valkey-instances?cursor=${canary('cursor')}`)
  await call('GET', `/valkey-users/${canary('get')}`)
  await call('DELETE', `/valkey-users/${canary('delete')}`)
  await call('PUT', user, { body: { password: canary('stale') }, headers: { 'if-match': '"1"' } })
  answers.push({ what: 'no HTTP', text: await noHttp(`${canary('no-http')} / HTTP/9\r\n\r\n`), shown: [] })
})

/** What the API says to bytes that are no HTTP. */
function noHttp(bytes: string): Promise<string> {
  const { hostname, port } = new URL(platform.url)
  const socket = connectTcp(Number(port), hostname)
  let text = ''
  socket.on('data', (chunk) => {
    text += String(chunk)
  })
  socket.write(bytes)
  return new Promise((resolve, reject) => {
    socket.once('close', () => resolve(text))
    socket.once('error', reject)
  })
}

test('passwords on standard input of the CLI', async () => {
  const { valkeep } = platform.cli
  const run = async (status: number, args: string[], password: string) => {
    const result = await valkeep([...args, '--password-stdin'], { input: `${password}\n` })
    assert.equal(result.status, status, result.stderr)
    answers.push({ what: args.join(' '), text: result.stdout + result.stderr, shown: [] })
  }
  await run(0, ['instance', 'create', 'by-cli', '--memory-mb', '8', '--user', 'app'], canary('cli-nested'))
  await run(0, ['user', 'create', 'main', 'by-cli'], canary('cli-create'))
  await run(0, ['user', 'update', 'main', 'by-cli', '--json'], canary('cli-update'))
  await run(1, ['user', 'update', 'main', 'by-cli'], `${canary('cli-bad')}\nrequirepass open`)
  await run(6, ['user', 'create', 'main', 'by-cli'], canary('cli-taken'))
  await run(5, ['user', 'update', 'main', 'nobody'], canary('cli-nobody'))
})

test('a change of a password that fails, and goes on when asked to', async () => {
  const [pid] = processesIn(serverDir())
  assert.ok(pid)
  process.kill(pid, 'SIGSTOP')
  let failed: HttpAnswer<View>
  try {
    failed = await call('PUT', user, { body: { password: canary('failing') } })
    const operation = await call('GET', `${String(failed.headers.get('location'))}/wait?timeout_s=60`)
    assert.equal(operation.body.status, 'failed', operation.text)
    assert.equal((await call('GET', user)).body.status, 'failed')
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await done(await call('POST', `${user}/retry`))
})

function serverDir(): string {
  const [acl] = filesBelow(join(platform.cli.home, 'servers')).filter(
    ([path, bytes]) => path.endsWith('users.acl') && bytes.includes('user drawn '),
  )
  assert.ok(acl)
  return acl[0].replace('/acl/users.acl', '')
}

test('every answer is without them: of what was called, and of all that can be read', async () => {
  const { body: api } = await platform.call<{ paths: Record<string, Record<string, unknown>> }>('GET', '/openapi.json')
  const first = async (path: string) => (await platform.call<{ items: View[] }>('GET', path)).body.items[0]?.id
  const ids: Record<string, string | undefined> = {
    tenants: platform.tenantId,
    'valkey-instances': instance.split('/')[2],
    'valkey-users': user.split('/')[2],
  }
  for (const noun of ['operations', 'shards', 'nodes', 'api-keys']) ids[noun] = await first(`/${noun}`)
  const readable = Object.keys(api.paths).filter((path) => 'get' in (api.paths[path] ?? {}))
  assert.ok(readable.length >= 20)
  for (const path of readable) {
    const filled = path.replace(
      /\/([a-z-]+)\/\{\w+\}/g,
      (_, noun: string) => `/${noun}/${ids[noun] ?? assert.fail(noun)}`,
    )
    const answer = await call('GET', /operations$|users$|instances$/.test(filled) ? `${filled}?limit=200` : filled)
    assert.equal(answer.status, 200, `${filled}: ${answer.text}`)
  }
  await call('GET', '/openapi.json')
  await call('GET', '/docs')
  const leaking = answers.flatMap(({ what, text, shown }) => {
    const others = generated.filter(({ name }) => !shown.includes(name))
    return leaksIn(text, [marked, ...others]).map((leak) => `${leak}: ${what}: ${placesIn(text)}`)
  })
  assert.deepEqual(leaking, [])
})

type Unsealed = { id: string; plain: string }
type Place = { database: string; unsealed: Unsealed[]; kek: string }

/** The database as it is on disk, read from a copy with its write-ahead log; every secret in it unsealed. */
function readPlace(): Place {
  const copy = join(platform.cli.dir, 'copy')
  mkdirSync(copy, { recursive: true })
  const names = ['valkeep.db', 'valkeep.db-wal'].filter((name) => existsSync(join(platform.cli.home, name)))
  for (const name of names) copyFileSync(join(platform.cli.home, name), join(copy, name))
  const kekFile = join(platform.cli.home, 'vault.key')
  const vault = makeVault(fileKeyProvider({ path: kekFile }))
  using database = new DatabaseSync(join(copy, 'valkeep.db'))
  const tables = database.prepare("select name from sqlite_schema where type = 'table'").all()
  const rows = tables.flatMap(({ name }) => database.prepare(`select * from "${String(name)}"`).all())
  const secrets = database.prepare('select id, key_id, blob from secrets').all()
  return {
    database: JSON.stringify(rows),
    unsealed: secrets.map(({ id, key_id, blob }) => ({
      id: String(id),
      plain: vault.unseal({ keyId: String(key_id), blob: String(blob) }, String(id)).toString(),
    })),
    kek: readFileSync(kekFile, 'utf8').trim().split(':')[1] ?? '',
  }
}

/** A private key by its middle: line breaks and headers aside. */
const keyBody = (pem: string): string => pem.split('\n').slice(1, -2).join('').slice(10, 60)

test('no file, log, row, process, or reply of a server holds them, but for the few places that have to', async () => {
  const { home, dir } = platform.cli
  const { database, unsealed, kek } = readPlace()
  const isPem = ({ plain }: Unsealed) => plain.includes('PRIVATE KEY')
  const isDigest = ({ plain }: Unsealed) => /^[0-9a-f]{64}$/.test(plain)
  const pems = unsealed.filter(isPem).map(({ id, plain }) => ({ name: `private key ${id}`, text: keyBody(plain) }))
  const digests = unsealed.filter(isDigest).map(({ id, plain }) => ({ name: `digest ${id}`, text: plain }))
  const own = unsealed
    .filter((each) => !isPem(each) && !isDigest(each))
    .map(({ id, plain }) => ({ name: id, text: plain }))
  // A CA and two servers; the users of this test; three users of the platform's own on each server.
  assert.deepEqual([pems.length, own.length, digests.length >= 7], [3, 6, true])
  assert.ok([...pems, ...own].every(({ text }) => text.length >= 20))
  const inMemory = own.map(({ name, text }) => ({ name: `digest of ${name}`, text: sha256(text) }))
  const all = [
    marked,
    { name: 'a field', text: named },
    ...generated,
    ...pems,
    ...own,
    ...digests,
    ...inMemory,
    { name: 'the KEK', text: kek },
  ]

  await serverTellsNothing(all, own)
  const platformPid = platform.cli.platform()?.pid ?? 0
  process.kill(platformPid, 'SIGTERM')
  const { stdout, stderr } = await platformOutput
  assert.deepEqual(leaksIn(stdout + stderr + database, all), [], placesIn(database).join('\n'))

  const mayHold = (path: string, { name, text }: Secret): boolean => {
    if (path === join(home, 'admin.key')) return name === "the admin's API key"
    if (path === join(home, 'vault.key')) return name === 'the KEK'
    if (path.endsWith('/tls/server.key')) return name.startsWith('private key')
    return (
      path.endsWith('/acl/users.acl') && name.startsWith('digest') && readFileSync(path, 'utf8').includes(`#${text} `)
    )
  }
  const held = new Set<string>()
  for (const root of [dir, runtimeDir()])
    for (const [path, bytes] of filesBelow(root)) {
      const leaks = leaksIn(bytes, all)
      for (const name of leaks) {
        const secret = all.find((each) => each.name === name)
        assert.ok(
          secret && mayHold(path, secret),
          `${name} in ${path}: ${placesIn(bytes.toString('latin1')).join('\n')}`,
        )
        held.add(name)
      }
    }
  assert.ok(held.has('the KEK') && held.has("the admin's API key"), 'what is looked for can be found')
  assert.equal([...held].filter((name) => name.startsWith('private key')).length, 2)
  const { found, looks } = watch.stop()
  assert.deepEqual(found, [])
  assert.ok(looks > 20)
})

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const runtimeDir = () => platform.cli.runtimeDir

/** SLOWLOG (all commands are slow here), ACL LOG, CLIENT LIST and the whole configuration, asked as the platform's admin. */
async function serverTellsNothing(all: Secret[], own: Secret[]): Promise<void> {
  const server = serverDir().split('/').at(-1)
  const path = join(runtimeDir(), `${server}.sock`)
  const login = (password: string) =>
    connect({ socket: { path }, username: 'valkeep-admin', password, timeoutMs: 5_000 })
  const admins = await Promise.all(own.map(({ text }) => login(text).catch(() => undefined)))
  await using admin = admins.find((each) => each !== undefined) ?? assert.fail('none of the passwords is the admin’s')
  const replies = await Promise.all(
    ['SLOWLOG GET -1', 'ACL LOG', 'CLIENT LIST', 'CONFIG GET *', 'INFO everything'].map((words) =>
      admin.call(words.split(' ')),
    ),
  )
  assert.ok((replies[0] as unknown[]).length > 20)
  assert.deepEqual(leaksIn(JSON.stringify(replies), all), [])
}

test('nobody else on the machine can read any of it', () => {
  const open = [platform.cli.home, runtimeDir()].flatMap(walk).flatMap((path) => {
    const stat = lstatSync(path)
    const expected = stat.isDirectory() || stat.isSocket() ? 0o700 : 0o600
    return (stat.mode & 0o777) === expected && stat.uid === process.getuid?.()
      ? []
      : [`${path} ${(stat.mode & 0o777).toString(8)}`]
  })
  assert.deepEqual(open, [])
  assert.ok(walk(runtimeDir()).some((path) => lstatSync(path).isSocket()))
})
