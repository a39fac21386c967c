/** The program as a person uses it: a real platform, real servers, every command in a process of its own. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { finished, makeCliHome, type Row } from '../support/cli-process.ts'
import { assertNothingLeft } from '../support/left-behind.ts'

const cli = makeCliHome()
const { dir, home, childTmp, valkeep, json, items, fails } = cli

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) assert.fail(`waited in vain: ${what}`)
    await delay(20)
  }
}

before(async () => {
  await cli.up()
  await json(['instance', 'create', 'main', '--memory-mb', '16'])
})
after(() => cli.remove())

test('status tells where the platform is and how its instances are', async () => {
  const status = await json(['status'])
  assert.equal(status.url, `http://127.0.0.1:${cli.port()}`)
  assert.equal(status.pid, cli.platform()?.pid)
  assert.deepEqual(status.status, { active: 1 })
  assert.match((await valkeep(['status'])).stdout, /^instances +1$/m)
})

test('creating waits, shows the steps on stderr and the password once', async () => {
  const { status, stdout, stderr } = await valkeep([
    'instance',
    'create',
    'made',
    '--memory-mb',
    '8',
    '--user',
    'app',
    '--json',
  ])
  assert.equal(status, 0, stderr)
  assert.match(stderr, /^Creating instance made \(op_[0-9a-f]+\)\n(?: {2}[a-z-]+: done \(.*\)\n)+/m)
  const made = JSON.parse(stdout) as Row & { users: Row[] }
  assert.deepEqual([made.status, made.max_memory_mb, made.health], ['active', 8, 'healthy'])
  const { password } = made.users[0] as { password: string }
  assert.ok(password.length >= 12)
  for (const again of [
    ['instance', 'get', 'made'],
    ['user', 'list', 'made'],
    ['user', 'get', 'made', 'app'],
    ['operation', 'list'],
  ])
    assert.ok(!(await valkeep([...again, '--json'])).stdout.includes(password), again.join(' '))
  assert.equal((await json(['instance', 'get', String(made.id)])).name, 'made', 'an id does as well as a name')
  assert.equal((await items(['instance', 'list'])).length, 2)
  assert.match((await valkeep(['instance', 'list'])).stdout, /^NAME +STATUS .*\n(?:.*\n)?main +active/)
  await json(['instance', 'delete', 'made'])
  await fails(5, /There is no instance "made"/, ['instance', 'get', 'made'])
})

test('an instance is changed, stopped, started and protected', async () => {
  const updated = await json<{ settings: Row; max_memory_mb: number }>([
    'instance',
    'update',
    'main',
    '--memory-mb',
    '20',
    '--set',
    'maxclients=100',
  ])
  assert.deepEqual([updated.max_memory_mb, updated.settings.maxclients], [20, 100])
  await fails(2, /Nothing to change/, ['instance', 'update', 'main'])
  await fails(1, /--set nonsense/, ['instance', 'update', 'main', '--set', 'nonsense=1'])
  await fails(1, /Did you mean maxmemory_policy\?/, ['instance', 'update', 'main', '--set', 'maxmemory-policy=x'])
  await fails(6, /not failed|only/i, ['instance', 'retry', 'main'])
  assert.equal((await json(['instance', 'stop', 'main'])).health, 'stopped')
  assert.equal((await json(['instance', 'start', 'main'])).health, 'healthy')
  await json(['instance', 'update', 'main', '--deletion-protection'])
  await fails(6, /instance update main --no-deletion-protection$/m, ['instance', 'delete', 'main'])
  assert.equal((await json(['instance', 'update', 'main', '--no-deletion-protection'])).deletion_protection, false)
})

test('users come, change and go', async () => {
  const input = 'a-typed-password-7\n'
  const made = await json(
    ['user', 'create', 'main', 'ann', '--privileges', 'read-only', '--key-pattern', '~a:*', '--password-stdin'],
    { input },
  )
  assert.deepEqual([made.username, made.status, made.password], ['ann', 'active', undefined])
  await fails(1, /--password-stdin: .*12 characters/, ['user', 'update', 'main', 'ann', '--password-stdin'], {
    input: 'short',
  })
  const updated = await json([
    'user',
    'update',
    'main',
    'ann',
    '--privileges',
    '+@read',
    '--privileges=-get',
    '--channel-pattern',
    '&n:*',
  ])
  assert.deepEqual(
    [updated.privileges, updated.channel_pattern, updated.key_pattern],
    [['+@read', '-get'], '&n:*', '~a:*'],
  )
  assert.equal((await json(['user', 'update', String(made.id), '--without-channels'])).channel_pattern, null)
  const effective = await json<{ allowed: string[]; denied: { command: string }[] }>([
    'user',
    'effective',
    'main',
    'ann',
  ])
  assert.ok(effective.allowed.includes('MGET') && effective.denied.some((each) => each.command === 'GET'))
  assert.match((await valkeep(['user', 'effective', 'main', 'ann'])).stdout, /^denied [\s\S]*^ {4}.*\bGET\b/m)
  const [verdict] = await items(['user', 'effective', 'main', 'ann', 'get'])
  assert.deepEqual([verdict?.command, verdict?.allowed], ['GET', false])
  assert.match((await valkeep(['user', 'effective', String(made.id), 'mget'])).stdout, /^MGET +yes/m)
  await fails(5, /no command "NONSENSE"/, ['user', 'effective', 'main', 'ann', 'nonsense'])
  await fails(6, /not failed|only/i, ['user', 'retry', 'main', 'ann'])
  await fails(2, /Which user/, ['user', 'get', 'main'])
  await json(['user', 'delete', 'main', 'ann'])
  assert.deepEqual(await items(['user', 'list', 'main']), [])
})

test('without waiting the operation is named, and can be waited for', async () => {
  const { operation_id: id } = await json<{ operation_id: string }>(['user', 'create', 'main', 'later', '--no-wait'])
  assert.match(id, /^op_[0-9a-f]{32}$/)
  assert.equal((await json(['operation', 'wait', id])).status, 'succeeded')
  assert.equal((await json(['operation', 'get', id])).kind, 'user-create')
  await fails(6, /cancel[\s\S]*operation get op_/i, ['operation', 'cancel', id])
  await fails(5, /Next: .*valkeep operation list$/m, ['operation', 'get', `op_${'0'.repeat(32)}`])
  await fails(6, /Next: .*valkeep user list main$/m, ['user', 'create', 'main', 'later'])
  await fails(1, /--privileges: there is no such command; there are the presets read-only/, [
    ...['user', 'update', 'main', 'later', '--privileges', 'reader'],
  ])
  const kinds = (await items(['operation', 'list', '--instance', 'main', '--status', 'succeeded'])).map(
    (row) => row.kind,
  )
  assert.ok(kinds.includes('user-create'))
  await json(['user', 'delete', 'main', 'later'])
})

test('tenants, shards, nodes and keys', async () => {
  assert.equal((await json(['tenant', 'create', 'acme', '--max-instances', '0'])).max_instances, 0)
  await fails(6, /tenant get acme$/m, ['instance', 'create', 'x', '--tenant', 'acme'])
  const limits = ['--max-instances', 'none', '--max-total-memory-mb', '64']
  const changed = await json(['tenant', 'update', 'acme', ...limits])
  assert.deepEqual([changed.max_instances, changed.max_total_memory_mb], [null, 64])
  await fails(2, /Nothing to change/, ['tenant', 'update', 'acme'])
  await fails(1, /--max-instances: must be at least 0/, ['tenant', 'update', 'acme', '--max-instances=-1'])
  assert.equal((await json(['instance', 'reassign', 'main', '--detach'])).tenant_id, null)
  const [detached] = await items(['instance', 'list', '--all-tenants'])
  assert.equal((await json(['instance', 'reassign', String(detached?.id), '--to', 'default'])).name, 'main')
  const [node] = await items(['node', 'list'])
  assert.equal((await json(['node', 'get', 'local'])).id, node?.id)
  const shard = await json(['shard', 'create', 'west', '--node', 'local'])
  assert.deepEqual(shard.node_ids, [node?.id])
  assert.equal((await json(['shard', 'get', 'west'])).id, shard.id)
  for (const noun of ['shard', 'tenant']) {
    const name = noun === 'shard' ? 'west' : 'acme'
    assert.deepEqual(Object.keys(await json([noun, 'delete', name])), ['id', 'deleted'])
    await fails(5, new RegExp(`There is no ${noun}`), [noun, 'get', name])
  }
  await fails(6, /Not empty[\s\S]*instance list --tenant default$/m, ['tenant', 'delete', 'default'])
})

test('keys open what their scopes and tenant allow', async () => {
  const keyFile = join(dir, 'reader.key')
  const tenant = await json(['tenant', 'get', 'default'])
  const made = await json<{ key: string }>(['key', 'create', 'reader', '--scope', 'valkey:read', '--tenant', 'default'])
  assert.equal((await json<Row>(['key', 'get', 'reader'])).key, undefined)
  writeFileSync(keyFile, `${made.key}\n`, { mode: 0o600 })
  // A tenant's key may not list tenants; its own instances have names all the same.
  assert.equal((await json(['instance', 'get', 'main', '--key-file', keyFile])).tenant_id, tenant.id)
  assert.equal((await items(['instance', 'list', '--key-file', keyFile, '--tenant', String(tenant.id)])).length, 1)
  const [admin] = (await items(['key', 'list'])).filter((row) => row.name !== 'reader')
  await fails(6, /Make another admin key first/, ['key', 'delete', String(admin?.id)])
  await fails(4, /key create/, ['instance', 'stop', 'main', '--key-file', keyFile])
  await fails(4, /by its id/, ['instance', 'create', 'x', '--key-file', keyFile])
  await json(['key', 'delete', 'reader'])
  await fails(4, /--key-file/, ['instance', 'list', '--all-tenants'], { env: { VALKEEP_KEY_FILE: keyFile } })
})

test('how to connect is printed, with the password only where it was given', async () => {
  const connection = await json<{ port: number; ca_pem: string }>(['instance', 'connection', 'main'])
  assert.match((await valkeep(['instance', 'connection', 'main', '--ca'])).stdout, /^-----BEGIN CERTIFICATE-----/)
  assert.match((await valkeep(['instance', 'connection', 'main', '--snippet', 'python'])).stdout, /import valkey/)
  const shown = await valkeep(['instance', 'connection', 'main', '--user', 'app'])
  assert.match(shown.stdout, /--user 'app'/)
  assert.match(shown.stderr, /valkeep instance connection main --ca > ca\.pem\n.*--snippet node\|python\|go/)
  const plain = await valkeep(['instance', 'url', 'main', '--user', 'app'])
  assert.equal(plain.stdout, `rediss://app:{password}@127.0.0.1:${connection.port}/0\n`)
  const filled = await valkeep(['instance', 'url', 'main', '--user', 'app', '--password-stdin'], { input: 'p@ss/word' })
  assert.equal(filled.stdout, `rediss://app:p%40ss%2Fword@127.0.0.1:${connection.port}/0\n`)
})

test('connect runs valkey-cli as a user that is gone when it ends', async () => {
  const set = await valkeep(['instance', 'connect', 'main', '--preset', 'read-write', '--', 'SET', 'greeting', 'hello'])
  assert.deepEqual([set.status, set.stdout], [0, 'OK\n'], set.stderr)
  assert.equal((await valkeep(['instance', 'connect', 'main'], { input: 'GET greeting\n' })).stdout, 'hello\n')
  const [last] = await items(['operation', 'list', '--instance', 'main', '--limit', '1'])
  assert.equal(last?.kind, 'session-end')
  assert.deepEqual(readdirSync(childTmp), [])
  await fails(1, /--valkey-cli FILE/, ['instance', 'connect', 'main', '--valkey-cli', '/nonexistent/valkey-cli'])
  assert.deepEqual(readdirSync(childTmp), [])
})

const children = (pid: number) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

test('a session ends with its user when a signal ends it, and nobody else sees its password', async () => {
  const connected = cli.start(['instance', 'connect', 'main', '--preset', 'pubsub', '--', 'SUBSCRIBE', 'news'])
  const result = finished(connected)
  await new Promise((resolve) => connected.stdout.once('data', resolve))
  const pid = connected.pid ?? 0
  const [child = 0] = children(pid)
  const environment = (id: number) => readFileSync(`/proc/${id}/environ`, 'utf8').split('\0')
  const secret = environment(child)
    .find((each) => each.startsWith('REDISCLI_AUTH='))
    ?.slice('REDISCLI_AUTH='.length)
  assert.ok(secret)
  for (const each of [pid, child]) assert.ok(!readFileSync(`/proc/${each}/cmdline`, 'utf8').includes(secret))
  assert.ok(!environment(pid).join().includes(secret))
  connected.kill('SIGTERM')
  const { status, stdout, stderr } = await result
  assert.equal(status, 130, stderr)
  assert.ok(!`${stdout}${stderr}`.includes(secret))
  assert.ok(!existsSync(`/proc/${child}`))
  assert.deepEqual(readdirSync(childTmp), [])
  await until(
    'the session has ended',
    async () => (await items(['operation', 'list', '--instance', 'main', '--limit', '1']))[0]?.kind === 'session-end',
  )
})

test('on a terminal steps are a live list, and the cursor comes back', async (t) => {
  const result = await cli.onTerminal(t, ['user', 'create', 'main', 'live'])
  if (result === undefined) return
  assert.equal(result.status, 0, result.stdout)
  assert.match(result.stdout, /Creating user live of main/)
  assert.match(result.stdout, /set-users: done/)
  assert.ok(result.stdout.lastIndexOf('\u001b[?25h') > result.stdout.lastIndexOf('\u001b[?25l'))
})

test('a password that is typed is not shown, and has to be typed twice alike', async (t) => {
  const prompt = ['user', 'update', 'main', 'live', '--password-prompt']
  const typed = 'typed-on-a-terminal-1'
  const good = await cli.onTerminal(t, prompt, [
    [/Password: /, `${typed}\r`],
    [/The same again: /, `${typed}\r`],
  ])
  if (good === undefined) return
  assert.equal(good.status, 0, good.stdout)
  assert.ok(!good.stdout.includes(typed))
  const differ = await cli.onTerminal(t, prompt, [
    [/Password: /, `${typed}\r`],
    [/The same again: /, 'another-one-22\r'],
  ])
  assert.equal(differ?.status, 2)
  const stopped = await cli.onTerminal(t, prompt, [[/Password: /, '\u0003']])
  assert.equal(stopped?.status, 130)
})

test('what is final is asked for on a terminal', async (t) => {
  const no = await cli.onTerminal(t, ['instance', 'delete', 'main'], [[/Type main to go on: /, 'no\r']])
  if (no === undefined) return
  assert.equal(no.status, 130)
  assert.match(no.stdout, /Nothing was deleted/)
  assert.equal((await json(['instance', 'get', 'main'])).status, 'active')
})

test('down stops everything, up brings it back, over TLS where it has a certificate', async () => {
  const ended = finished(cli.platform() ?? assert.fail())
  assert.deepEqual(await json(['down']), { home, platform_was_running: true, stopped: true })
  assert.equal((await ended).status, 0)
  assertNothingLeft(dir)
  await fails(3, /No platform runs/, ['instance', 'list'])
  assert.equal((await json(['down'])).platform_was_running, false, 'down is safe to repeat')

  const now = new Date()
  const authority = await createAuthority({ subject: [{ type: 'CN', value: 'test' }], notBefore: now, days: 1 })
  const request = {
    subject: [{ type: 'CN', value: 'api' } as const],
    dnsNames: [],
    ipAddresses: ['127.0.0.1'],
    now,
    days: 1,
  }
  const { certPem, keyPem } = await (await makeIssuer(authority)).issue(request)
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const ca = file('api-ca.pem', authority.certPem)
  const url = await cli.up(['--tls-cert-file', file('api.crt', certPem), '--tls-key-file', file('api.key', keyPem)])
  assert.match(url, /^https:/)
  await until(
    'main is healthy again',
    async () => (await json(['instance', 'get', 'main', '--ca-file', ca])).health === 'healthy',
  )
  assert.equal(
    (await valkeep(['instance', 'connect', 'main', '--ca-file', ca, '--', 'GET', 'greeting'])).stdout,
    'hello\n',
  )
  assert.equal((await items(['instance', 'list'])).length, 1, 'its own certificate is trusted, without a flag')
  assert.equal((await items(['instance', 'list', '--api', url])).length, 1)
  const other = url.replace('127.0.0.1', 'localhost')
  await fails(2, /needs the key/, ['instance', 'list', '--api', other])
  await fails(3, /--ca-file FILE/, ['instance', 'list', '--api', other, '--key-file', join(home, 'admin.key')])
  const remote = ['--api', url, '--key-file', join(home, 'admin.key'), '--ca-file', ca]
  assert.equal((await items(['instance', 'list', ...remote])).length, 1)
})
