/** scripts/valkey-health.sh of a stack, under every shell: property 10 of the source, and its verdicts on real servers with the scripts' own files. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import {
  type HealthVariable,
  healthSettings,
  healthVariables,
  judgeHealth,
  verdictLine,
} from '../../src/domain/stack/health.ts'
import { scriptFiles } from '../../src/domain/stack/places.ts'
import { parseCredentials } from '../../src/domain/stack/secrets.ts'
import { renderStackConf } from '../../src/stack/conf-file.ts'
import { propertyRuns } from '../support/acl-arbitraries.ts'
import { freePort } from '../support/free-port.ts'
import { requirePart, valkeyBinaries } from '../support/parts.ts'
import { startRawValkey } from '../support/raw-valkey.ts'
import { type Stack, startStackServer, type StackServer } from '../support/stack.ts'
import { ended, makeScriptRoom, onPath, type ScriptRoom, testEachShell, wrappers } from '../support/stack-scripts.ts'
import { until } from '../support/until.ts'

const script = scriptFiles.health
type Given = Partial<Record<HealthVariable, string>>

const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: 7 })
const hostile = fc.string({ unit: fc.constantFrom(...`ab09.-_ \t\n\r'"\\$\`();&|<>*?[]{}#!~%+=:/,äλ٣`), maxLength: 12 })
const number = (max: number) =>
  fc.oneof(
    fc.integer({ min: -2, max: max + 2 }).map(String),
    fc.constantFrom(
      '',
      '0',
      '1',
      '01',
      '+1',
      '1.0',
      '1e2',
      '0x10',
      ' 1',
      '1 ',
      '1\n',
      String(max),
      String(max + 1),
      '9'.repeat(40),
    ),
    digits,
    hostile,
  )
const word = (alphabet: string) => fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength: 20 })
const path = fc.constantFrom('', '/nonexistent/a', './-none', 'no such file')

/** What may stand in the environment; a password file that there is would hide what comes after the settings. */
const given: fc.Arbitrary<Given> = fc.record(
  {
    VALKEY_PASSWORD_FILE: path,
    VALKEY_HOST: fc.oneof(
      word('abcXYZ019._-'),
      hostile,
      fc.constantFrom('', '-h', '..', '127.0.0.1', '::1', 'a b', 'a\n'),
    ),
    VALKEY_PORT: number(65_535),
    MEMORY_WARN_PERCENT: number(100),
    VALKEY_TIMEOUT: number(3600),
    VALKEY_USER: fc.oneof(word('abcz019_-'), hostile),
    VALKEY_TLS_CERT: path,
    VALKEY_TLS_KEY: path,
    VALKEY_TLS_CA: path,
  },
  { requiredKeys: ['VALKEY_PASSWORD_FILE'] },
)

/** What the model says of such an environment, as the script prints it. */
function expectedLine(env: Given): string {
  const read = healthSettings(env)
  return verdictLine(
    'verdict' in read ? read.verdict : { level: 'CRITICAL', text: `${read.ok.passwordFile} cannot be read` },
  )
}

testEachShell('whatever is in the environment, it refuses what the model refuses, in the same words', ({ run }, t) => {
  const seed = Number(process.env['VALKEEP_TEST_SEED'] ?? Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}`)
  const refused = new Set<string>()
  const check = (env: Given) => {
    const expected = expectedLine(env)
    refused.add(expected)
    assert.deepEqual(run(script, [], { env }), { code: 1, out: [expected], err: '' }, JSON.stringify(env))
  }
  // One variable at a time: of many, the first that is wrong hides the others.
  for (const variable of Object.keys(healthVariables) as HealthVariable[]) {
    check({ VALKEY_PASSWORD_FILE: '/nonexistent/a', [variable]: '' })
    fc.assert(
      fc.property(given, (all) => check({ VALKEY_PASSWORD_FILE: '/nonexistent/a', [variable]: all[variable] ?? '' })),
      { seed, numRuns: propertyRuns(20) },
    )
  }
  fc.assert(fc.property(given, check), { seed, numRuns: propertyRuns(30) })
  for (const name of Object.keys(healthVariables))
    assert.ok(
      [...refused].some((line) => line.includes(name)),
      name,
    )
})

testEachShell('it takes no arguments, and says how it is told what to do', ({ run }) => {
  ended(run(script, ['ping']), 2)
  const help = ended(run(script, ['--help']), 0).out.join('\n')
  for (const [name, value] of Object.entries(healthVariables))
    assert.match(help, new RegExp(`^ +${name} +${value}$`, 'm'))
})

/** A stack whose secrets and certificates the scripts have made. */
function scriptStack({ run, dir: root }: ScriptRoom): Stack {
  const [spec, certs, secrets, conf] = [
    defaultSpec(),
    join(root, 'certs'),
    join(root, 'secrets'),
    join(root, 'valkey.conf'),
  ]
  ended(run(scriptFiles.certs, [certs]), 0)
  ended(run(scriptFiles.secrets, [secrets]), 0)
  writeFileSync(conf, renderStackConf(spec))
  const credentials = parseCredentials(readFileSync(join(secrets, 'credentials.env.example'), 'utf8'))
  return {
    root,
    spec,
    conf,
    certs,
    secrets,
    passwordOf: (user) => credentials.get(spec.users[user]?.env ?? '') ?? assert.fail(user),
    pem: (file) => readFileSync(join(certs, file), 'utf8'),
    remove: () => undefined,
  }
}

const [binary] = valkeyBinaries()
const isReady = binary !== undefined && onPath('openssl') !== undefined
let stack: Stack
let server: StackServer
after(() => server?.stop())
const madeIn = makeScriptRoom({ after })
before(async () => {
  if (!isReady) return
  stack = scriptStack(madeIn)
  server = await startStackServer({ binary: binary.path, stack })
})

const env = (port: number, more: Given = {}): Given => ({
  VALKEY_HOST: '127.0.0.1',
  VALKEY_PORT: String(port),
  VALKEY_PASSWORD_FILE: join(stack.secrets, 'valkey_password.txt'),
  VALKEY_TLS_CERT: join(stack.certs, 'client.crt'),
  VALKEY_TLS_KEY: join(stack.certs, 'client.key'),
  VALKEY_TLS_CA: join(stack.certs, 'ca.crt'),
  ...more,
})

/** As testEachShell, with the server and valkey-cli. */
const withServer: typeof testEachShell = (name, body) =>
  testEachShell(name, (room, t) => {
    if (requirePart(t, 'valkey-8.0') === undefined || requirePart(t, 'valkey-cli') === undefined) return
    if (requirePart(t, 'openssl') !== undefined) return body(room, t)
  })

withServer('a server that is well is OK, one that fills up a warning, and neither is a failure', ({ run }) => {
  const ok = ended(run(script, [], { env: env(server.port) }), 0)
  assert.match(ok.out.join('\n'), /^OK: answers, append-only file on, memory at [0-9]{1,2}%$/)
  assert.equal(ok.err, '')
})

/** Starts a further server of the stack that differs from it. */
async function other(t: TestContext, data: string, args: string[]): Promise<StackServer> {
  const started = await startStackServer({ binary: binary?.path ?? '', stack, data, args })
  t.after(() => started.stop())
  return started
}

withServer('memory from the threshold on, no limit at all, and an append-only file that is off', async ({ run }, t) => {
  const full = await other(t, 'full', ['--maxmemory', '2mb'])
  const warned = ended(run(script, [], { env: env(full.port, { MEMORY_WARN_PERCENT: '5' }) }), 0).out.join('\n')
  const percent = Number(/^WARNING: memory at ([0-9]+)% of maxmemory \(warning from 5%\)$/.exec(warned)?.[1])
  assert.ok(percent >= 5, warned)
  const info = { aof_enabled: '1', used_memory: String(percent), maxmemory: '100' }
  assert.equal(warned, verdictLine(judgeHealth(info, 5)))
  const endless = await other(t, 'endless', ['--maxmemory', '0'])
  const noLimit = verdictLine(judgeHealth({ ...info, maxmemory: '0' }, 80))
  assert.deepEqual(ended(run(script, [], { env: env(endless.port) }), 0).out, [noLimit])
  const off = await other(t, 'off', ['--appendonly', 'no'])
  assert.deepEqual(ended(run(script, [], { env: env(off.port) }), 1).out, [verdictLine(judgeHealth({}, 80))])
})

/** Processes whose environment holds this text. */
const processesWith = (text: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^[0-9]+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text)
    } catch {
      return false
    }
  })

withServer('a server that hangs is CRITICAL at the deadline, and no process is left', async ({ run }) => {
  const settings = { ...env(server.port, { VALKEY_TIMEOUT: '1' }), MARK: `mark-${process.pid}` }
  server.signal('SIGSTOP')
  const started = performance.now()
  const { out } = ended(run(script, [], { env: settings }), 1)
  const took = performance.now() - started
  server.signal('SIGCONT')
  assert.deepEqual(out, ['CRITICAL: no answer within 1 seconds'])
  assert.ok(took >= 1000 && took < 5000, `took ${took} ms`)
  assert.deepEqual(processesWith(settings.MARK), [])
  // The watch over the deadline ends with the check as well.
  ended(run(script, [], { env: { ...settings, VALKEY_TIMEOUT: '3599' } }), 0)
  assert.deepEqual(processesWith(settings.MARK), [])
})

withServer('each thing that can be wrong has a sentence of its own, without the password', async ({ run, dir }) => {
  const password = stack.passwordOf('healthcheck')
  const file = (name: string, text: string) => {
    writeFileSync(join(dir, name), text)
    return join(dir, name)
  }
  const foreign = join(dir, 'foreign')
  mkdirSync(foreign)
  const subject = ['-subj', '/CN=foreign', '-keyout', join(foreign, 'k'), '-out', join(foreign, 'c')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject], { stdio: 'ignore' })
  const unused = await freePort()
  const cases: [more: Given, line: RegExp][] = [
    [{ VALKEY_PORT: String(unused) }, /^CRITICAL: cannot connect to 127\.0\.0\.1:[0-9]+: Connection refused$/],
    [{ VALKEY_HOST: 'no..name' }, /^CRITICAL: cannot connect to no\.\.name:[0-9]+: .+$/],
    [
      { VALKEY_PASSWORD_FILE: file('wrong', `${password}x\n`) },
      /^CRITICAL: the server refuses the user healthcheck with this password$/,
    ],
    [{ VALKEY_USER: 'nobody' }, /^CRITICAL: the server refuses the user nobody with this password$/],
    [
      { VALKEY_USER: 'log-writer', VALKEY_PASSWORD_FILE: file('log', stack.passwordOf('log-writer')) },
      /^CRITICAL: the user log-writer may not do PING and INFO$/,
    ],
    [{ VALKEY_TLS_CA: join(foreign, 'c') }, /^CRITICAL: cannot connect to .*certificate verify failed$/],
    [
      { VALKEY_TLS_CERT: join(foreign, 'c'), VALKEY_TLS_KEY: join(foreign, 'k') },
      /^CRITICAL: the server cut the connection: is .*foreign\/c signed by its authority/,
    ],
    [{ VALKEY_TLS_KEY: file('junk', 'junk') }, /^CRITICAL: cannot connect to .*junk$/],
    [{ VALKEY_PASSWORD_FILE: file('empty', '\n') }, /^CRITICAL: .*empty is empty$/],
    [{ VALKEY_PASSWORD_FILE: dir }, /^CRITICAL: .* cannot be read$/],
    [{ VALKEY_TLS_CERT: '/nonexistent/cert' }, /^CRITICAL: \/nonexistent\/cert cannot be read$/],
    [{ VALKEY_TLS_KEY: '/nonexistent/key' }, /^CRITICAL: \/nonexistent\/key cannot be read$/],
    [{ VALKEY_TLS_CA: '/nonexistent/ca' }, /^CRITICAL: \/nonexistent\/ca cannot be read$/],
  ]
  for (const [more, line] of cases) {
    const { out, err } = ended(run(script, [], { env: env(server.port, more) }), 1)
    assert.match(out.join('\n'), line)
    assert.equal(err, '')
    assert.ok(!out.join('').includes(password))
  }
  // A password file from elsewhere: without a newline, or with the two of Windows.
  for (const text of [password, `${password}\r\n`])
    ended(run(script, [], { env: env(server.port, { VALKEY_PASSWORD_FILE: file('odd', text) }) }), 0)
})

withServer('it needs valkey-cli alone, and shows the password to nothing else', ({ run, dir }) => {
  const record = join(dir, 'record')
  const line = (name: string) => `{ printf '%s\\n' "$*"; /usr/bin/env; } >>'${record}.${name}'`
  const programs = ['valkey-cli', 'sleep']
  const bin = wrappers(join(dir, 'bin'), Object.fromEntries(programs.map((name) => [name, line(name)])))
  // Exported by its caller, the name would go on to every child.
  const settings = { ...env(server.port), PATH: bin, password: 'x', SHELLOPTS: 'allexport' }
  ended(run(script, [], { env: settings }), 0)
  const password = stack.passwordOf('healthcheck')
  const [args = '', ...environment] = readFileSync(`${record}.valkey-cli`, 'utf8').split('\n')
  assert.ok(environment.includes(`REDISCLI_AUTH=${password}`) && !args.includes(password))
  assert.ok(!environment.includes(`password=${password}`))
  if (existsSync(`${record}.sleep`)) assert.ok(!readFileSync(`${record}.sleep`, 'utf8').includes(password))
  // sleep is there: without it too, either may be missed first.
  const none = wrappers(join(dir, 'none'), { sleep: ':' })
  const { out } = ended(run(script, [], { env: { ...settings, PATH: none } }), 1)
  assert.deepEqual(out, ['CRITICAL: valkey-cli cannot be run'])
})

const children = new Set<ChildProcess>()
after(() => {
  for (const child of children) child.kill('SIGKILL')
})

test('a server that still loads its data is CRITICAL and says so', async (t) => {
  if (requirePart(t, 'valkey-8.0') === undefined || requirePart(t, 'valkey-cli') === undefined) return
  if (requirePart(t, 'openssl') === undefined) return
  const room = makeScriptRoom(t)
  const filled = await startRawValkey({ binary: binary?.path ?? '', dir: room.dir, args: ['--rdbcompression', 'no'] })
  await filled.callAll(Array.from({ length: 400 }, (_, i) => ['SET', `key:${i}`, 'x'.repeat(200)]))
  await filled.call('SAVE')
  await filled.stop()
  const port = await freePort()
  const tls = ['--tls-cert-file', join(stack.certs, 'server.crt'), '--tls-key-file', join(stack.certs, 'server.key')]
  const args = ['--port', '0', '--tls-port', String(port), ...tls, '--tls-ca-cert-file', join(stack.certs, 'ca.crt')]
  const slowly = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024']
  const acl = ['--aclfile', join(stack.secrets, 'valkey_users.acl')]
  children.add(
    spawn(binary?.path ?? '', [...args, ...slowly, ...acl, '--dir', room.dir, '--bind', '127.0.0.1'], {
      stdio: 'ignore',
    }),
  )
  const verdict = await until(() => {
    const { out } = room.run(script, [], { env: { ...env(port), PATH: process.env['PATH'] ?? delimiter } })
    return out[0]?.includes('Connection refused') ? undefined : out
  }, 'the server does not listen')
  assert.deepEqual(verdict, ['CRITICAL: the server is still loading its data'])
})
