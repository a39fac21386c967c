/** What ends by the clock: certificates are replaced under running clients, sessions end with their connections. */
import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { ValkeyConnection } from '../../src/valkey/client.ts'
import { app, type Instance, makeKillablePlatform } from '../support/killable-platform.ts'
import { type Endpoint, endpointOf, login, runId } from '../support/tenant-client.ts'
import { until } from '../support/until.ts'
import { makeSweepMark } from './sweep-mark.ts'

const dayMs = 86_400_000
const sessionS = 10

const platform = makeKillablePlatform({ flags: ['--sweep-interval-s', '0.5'] })
let instance: Instance
let endpoint: Endpoint
let client: ValkeyConnection
let run = ''

before(async () => {
  await platform.start()
  instance = await platform.make('served')
  endpoint = await endpointOf(platform, instance.id)
  client = await login(endpoint, app)
  run = await runId(client)
})
after(async () => {
  await client?.close()
  await platform.remove()
})

/** SHA-256 and end of the certificate that a new client is shown; it has to be one to trust. */
function served(): Promise<{ fingerprint: string; notAfter: Date }> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...endpoint, timeout: 5_000 }, () => {
      const { fingerprint256, valid_to: notAfter } = socket.getPeerCertificate()
      socket.destroy()
      resolve({ fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(), notAfter: new Date(notAfter) })
    })
    socket.once('error', reject)
    socket.once('timeout', () => socket.destroy(new Error('no handshake')))
  })
}

const untouched = async () => {
  assert.equal(await client.call(['PING']), 'PONG', 'the client is still connected')
  assert.equal(await runId(client), run)
}

/** The row says that the certificate nears its end; only while no platform runs. */
function age(): void {
  const database = new DatabaseSync(join(platform.home, 'valkeep.db'))
  database
    .prepare('update servers set cert_not_after = ? where instance_id = ?')
    .run(new Date(Date.now() + dayMs).toISOString(), instance.id)
  database.close()
}

const renewed = (from: string) =>
  until(async () => (await served()).fingerprint !== from, 'another certificate to be served')

test('a certificate in the last third of its time is replaced under a connected client, once', async (t) => {
  const before = await served()
  assert.ok(before.notAfter.getTime() > Date.now() + 85 * dayMs)
  // For one that is to last 825 days, 90 days are the last third.
  await platform.kill9()
  await platform.start({ flags: ['--certificate-days', '825'] })
  const begun = performance.now()
  await renewed(before.fingerprint)
  t.diagnostic(`served ${Math.round(performance.now() - begun)} ms after the platform was ready`)
  const after = await served()
  assert.ok(after.notAfter.getTime() > Date.now() + 800 * dayMs)
  await untouched()
  const [repair] = await until(async () => {
    const operations = await platform.operations(instance.id)
    return operations[0]?.status === 'succeeded' && operations
  }, 'the renewal to be recorded')
  assert.deepEqual([repair?.kind, repair?.note], ['repair', 'a certificate has to be replaced'])
  assert.deepEqual(
    repair?.steps.map(({ kind }) => kind),
    ['write-files', 'configure'],
  )
  const count = (await platform.operations(instance.id)).length
  const mark = await makeSweepMark(platform)
  for (let round = 0; round < 2; round++) await mark()
  assert.equal((await served()).fingerprint, after.fingerprint)
  assert.equal((await platform.operations(instance.id)).length, count)
})

async function renewalSurvives(t: TestContext, failpoint: string): Promise<void> {
  await platform.kill9()
  age()
  const before = (await served()).fingerprint
  const { env } = { env: { VALKEEP_FAILPOINT: failpoint } }
  // It may die before its ready line.
  await platform.start({ env }).catch((error: unknown) => assert.match(String(error), /the platform ended/))
  const { signal } = await platform.ended()
  assert.equal(signal, 'SIGKILL', `${failpoint} was never reached`)
  const begun = performance.now()
  await platform.start()
  await renewed(before)
  await until(async () => (await platform.operations(instance.id))[0]?.status === 'succeeded', 'the end of the repair')
  t.diagnostic(`renewed ${Math.round(performance.now() - begun)} ms after the next start`)
  const [row] = platform.rows(`select cert_fingerprint from servers where instance_id = '${instance.id}'`)
  assert.equal((await served()).fingerprint, row?.['cert_fingerprint'])
  await untouched()
}

for (const step of ['begin', 'write-files', 'configure', 'finish'])
  for (const when of ['before', 'after'])
    test(`killed ${when} ${step} of a renewal`, (t) => renewalSurvives(t, `${when}:${step}`))

test('a session ends when its time is up, with its connections, whoever is platform then', async (t) => {
  type Session = { username: string; password: string; expires_at: string }
  const session = await platform.ok<Session>('POST', `/valkey-instances/${instance.id}/sessions`, { ttl_s: sessionS })
  const ends = Date.parse(session.expires_at)
  await using visitor = await login(endpoint, session)
  assert.equal(await visitor.call(['PING']), 'PONG')
  await platform.restart()
  assert.equal(await visitor.call(['PING']), 'PONG')
  await until(
    () =>
      visitor.call(['PING']).then(
        () => false,
        () => true,
      ),
    'the connection to be dropped',
    15_000,
  )
  const late = Date.now() - ends
  t.diagnostic(`dropped ${late} ms after its end`)
  assert.ok(late >= 0 && late < 3_000, `${late} ms`)
  await assert.rejects(login(endpoint, session), /WRONGPASS/)
  const [end] = await until(async () => {
    const operations = await platform.operations(instance.id)
    return operations[0]?.status === 'succeeded' && operations
  }, 'the end to be recorded')
  assert.equal(end?.kind, 'session-end')
  assert.ok(
    !platform
      .rows('select username from users where deleted_at is null')
      .some((row) => row['username'] === session.username),
  )
  await untouched()
})
