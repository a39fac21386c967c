/** `valkeep stack health`, the program with its environment variables, against running servers of every line. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { healthSettings } from '../../src/domain/stack/health.ts'
import { certificateFiles as names } from '../../src/domain/stack/places.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { finished, type Result } from '../support/cli-process.ts'
import { freePort } from '../support/free-port.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { engineOf, makeStack, type Stack, type StackServer, startStackServer } from '../support/stack.ts'

const entry = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url))

/** Variables of the check for a server of this stack. */
const variables = (stack: Stack, port: number): Record<string, string> => ({
  VALKEY_HOST: '127.0.0.1',
  VALKEY_PORT: String(port),
  VALKEY_PASSWORD_FILE: join(stack.secrets, 'valkey_password.txt'),
  VALKEY_TLS_CERT: join(stack.certs, names.clientCert),
  VALKEY_TLS_KEY: join(stack.certs, names.clientKey),
  VALKEY_TLS_CA: join(stack.certs, names.caCert),
})

/** Runs the check; whatever comes of it, nothing that it prints holds a password. */
async function check(
  stack: Stack,
  port: number,
  over: Record<string, string> = {},
  args: string[] = [],
): Promise<Result> {
  const { PATH = '', NODE_COMPILE_CACHE } = process.env
  const cache = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }
  const env = { PATH, HOME: stack.root, ...cache, ...variables(stack, port), ...over }
  const words = ['--disable-warning=ExperimentalWarning', entry, 'stack', 'health', ...args]
  const result = await finished(spawn(process.execPath, words, { env, stdio: ['ignore', 'pipe', 'pipe'] }))
  for (const user of Object.keys(stack.spec.users))
    assert.ok(!`${result.stdout}${result.stderr}`.includes(stack.passwordOf(user)), 'the output holds a password')
  return result
}

async function says(run: Promise<Result>, status: 0 | 1, line: RegExp): Promise<void> {
  const result = await run
  assert.match(result.stdout, line, result.stderr)
  assert.match(result.stdout, /^[^\n]+\n$/, 'one line')
  assert.equal(result.status, status, result.stdout + result.stderr)
}

/** The certificates of all: new keys take seconds. */
let made: Stack
before(async () => {
  made = await makeStack()
})
after(() => made?.remove())

const binaries = valkeyBinaries()
for (const { version, path: binary } of binaries)
  describe(`health of a stack on valkey ${version}`, () => {
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

    test('a well server is OK, by address and by name', async () => {
      await says(check(stack, server.port), 0, /^OK: .*memory at 0%/)
      await says(check(stack, server.port, { VALKEY_HOST: 'localhost' }), 0, /^OK: /)
      const { status, stdout } = await check(stack, server.port, {}, ['--json'])
      assert.equal(status, 0)
      assert.equal((JSON.parse(stdout) as { level: string }).level, 'OK')
    })

    test('memory from the threshold on is a WARNING, which does not fail', async () => {
      await using admin = await server.login('mcp-admin')
      await admin.call(['SET', 'molis:config:large', 'x'.repeat(12_000_000)])
      await says(check(stack, server.port, { MEMORY_WARN_PERCENT: '3' }), 0, /^WARNING: memory at ([4-9]|1\d)% /)
      await says(check(stack, server.port, { MEMORY_WARN_PERCENT: '50' }), 0, /^OK: /)
      await admin.call(['DEL', 'molis:config:large'])
    })

    test('without a memory limit it is OK; with the append-only file off CRITICAL', async () => {
      const args = ['--maxmemory', '0']
      await using unlimited = await startStackServer({ binary, stack, data: 'unlimited', args })
      await says(check(stack, unlimited.port, { MEMORY_WARN_PERCENT: '1' }), 0, /^OK: .*no memory limit/)
      await using off = await startStackServer({ binary, stack, data: 'off', args: ['--appendonly', 'no'] })
      await says(check(stack, off.port), 1, /^CRITICAL: the append-only file is off/)
    })

    test('a server that does not answer is CRITICAL within the deadline', async () => {
      await using stopped = await startStackServer({ binary, stack, data: 'stopped' })
      stopped.signal('SIGSTOP')
      const began = performance.now()
      await says(check(stack, stopped.port, { VALKEY_TIMEOUT: '1' }), 1, /^CRITICAL: .*no answer.* within/)
      const took = performance.now() - began
      assert.ok(took >= 1_000 && took < 10_000, `took ${Math.round(took)} ms`)
      stopped.signal('SIGCONT')
      await says(check(stack, stopped.port), 0, /^OK: /)
      assert.equal(await stopped.stop(), 0)
      await says(check(stack, stopped.port), 1, /^CRITICAL: .*ECONNREFUSED/)
    })

    // What the program itself decides, or TLS does, is the same on every line.
    if (version === binaries[0]?.version)
      test('a wrong password, user, certificate or authority is CRITICAL', async () => {
        const file = (name: string, text: string) => {
          const path = join(stack.root, name)
          writeFileSync(path, text)
          return path
        }
        const wrong: Record<string, string>[] = [
          { VALKEY_PASSWORD_FILE: file('other.txt', `${stack.passwordOf('mcp-agent')}\n`) },
          { VALKEY_PASSWORD_FILE: file('two.txt', `${stack.passwordOf('healthcheck')}\n\n`) },
          { VALKEY_USER: 'mcp-agent' },
          { VALKEY_USER: 'default' },
        ]
        for (const over of wrong)
          await says(check(stack, server.port, over), 1, /^CRITICAL: the server refuses the user/)
        const pair = {
          VALKEY_TLS_CERT: join(stack.certs, names.serverCert),
          VALKEY_TLS_KEY: join(stack.certs, names.serverKey),
        }
        await says(check(stack, server.port, pair), 1, /^CRITICAL: /)
        const foreign = { VALKEY_TLS_CA: join(stack.certs, names.clientCert) }
        await says(check(stack, server.port, foreign), 1, /^CRITICAL: .*certificate/)
      })
  })

test('missing, empty and broken files are CRITICAL and named, without a word of what is in them', async () => {
  const port = await freePort()
  for (const name of ['VALKEY_PASSWORD_FILE', 'VALKEY_TLS_CERT', 'VALKEY_TLS_KEY', 'VALKEY_TLS_CA']) {
    const missing = join(made.root, 'missing')
    await says(check(made, port, { [name]: missing }), 1, /^CRITICAL: \S+missing cannot be read/)
    const broken = join(made.root, 'broken')
    writeFileSync(broken, '')
    await says(check(made, port, { [name]: broken }), 1, /^CRITICAL: /)
  }
  // Every password in a file that is taken for a certificate.
  const secret = join(made.secrets, 'credentials.env.example')
  await says(check(made, port, { VALKEY_TLS_CERT: secret }), 1, /^CRITICAL: /)
})

test('a server that accepts and is silent is CRITICAL within the deadline', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await new Promise((resolve) => silent.once('listening', resolve))
  const { port } = silent.address() as { port: number }
  try {
    await says(check(made, port, { VALKEY_TIMEOUT: '1' }), 1, /^CRITICAL: .*no answer.* within/)
  } finally {
    silent.close()
  }
})

test('a wrong or empty setting is CRITICAL and named', async () => {
  const wrong: [name: string, value: string][] = [
    ['VALKEY_HOST', ''],
    ['VALKEY_HOST', '127.0.0.1; id'],
    ['VALKEY_PORT', ''],
    ['VALKEY_PORT', '0'],
    ['VALKEY_PORT', '65536'],
    ['MEMORY_WARN_PERCENT', ''],
    ['MEMORY_WARN_PERCENT', '80%'],
    ['VALKEY_TIMEOUT', ''],
    ['VALKEY_USER', ''],
    ['VALKEY_PASSWORD_FILE', ''],
    ['VALKEY_TLS_CA', ''],
  ]
  for (const [name, value] of wrong) {
    const line = /FILE|TLS/.test(name) ? /^CRITICAL: / : new RegExp(`^CRITICAL: ${name} must be `)
    await says(check(made, 6379, { [name]: value }), 1, line)
  }
})

test('property 10: exactly the hosts, ports and percentages that the source admits are accepted', (t) => {
  const seed = Number(process.env['VALKEEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const some = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.string({ unit: fc.constantFrom(...'aZ09._-:/ \n$;'), maxLength: 8 }),
    fc.integer({ min: -5, max: 70_000 }).map(String),
    fc.nat({ max: 200 }).map((number) => `0${number}`),
    fc.constantFrom('', '1e3', '0x50', '80.0', '+80', ' 80', '80\n', '６３７９', '99999999999999999999', 'valkey\n'),
  )
  const isWhole = (text: string, max: number) =>
    [...text].every((letter) => '0123456789'.includes(letter)) &&
    String(Number(text)) === text &&
    Number(text) >= 1 &&
    Number(text) <= max
  const isHost = (text: string) =>
    text !== '' && [...text].every((letter) => (letter < '\x7f' && /[a-z0-9]/i.test(letter)) || '._-'.includes(letter))
  fc.assert(
    fc.property(some, (text) => {
      const accepted = (name: string) => 'ok' in healthSettings({ [name]: text })
      assert.equal(accepted('VALKEY_HOST'), isHost(text), `host ${JSON.stringify(text)}`)
      assert.equal(accepted('VALKEY_PORT'), isWhole(text, 65_535), `port ${JSON.stringify(text)}`)
      assert.equal(accepted('MEMORY_WARN_PERCENT'), isWhole(text, 100), `percent ${JSON.stringify(text)}`)
    }),
    { seed, numRuns: propertyRuns(500) },
  )
})
