/** The snippets of GET /valkey-instances/{id}/connection, run to the letter against a real TLS server, so that they never rot. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { type Connection, connectionInfo } from '../../src/domain/connection.ts'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { randomPassword, sha256Hex } from '../../src/vault/random.ts'
import { requirePart, valkeyBinaries } from '../support/parts.ts'
import { freePort } from '../support/free-port.ts'

const host = '127.0.0.1'
const serverName = 'srv-1.valkeep.internal'
const password = randomPassword()
const dir = mkdtempSync(join(tmpdir(), 'valkeep-snippets-'))
/** Where a client runs: its ca.pem, and the npm packages of this repository. */
const home = join(dir, 'home')
const stranger = join(dir, 'stranger')

let server: ChildProcess | undefined
process.once('exit', () => server?.kill('SIGKILL'))
let caPem: string
let port: number

type Language = keyof Connection['snippets']
type Result = { code: number | null; stdout: string; stderr: string }
/** Runs a snippet's text in `cwd`; `until` ends it as soon as its error output says so, for clients that try for ever. */
type Run = (text: string, cwd: string, env: Record<string, string>, until?: RegExp) => Promise<Result>

before(async () => {
  const now = new Date()
  const subject = [{ type: 'CN' as const, value: 'Valkeep test CA' }]
  const authority = await createAuthority({ subject, notBefore: new Date(now.getTime() - 60_000), days: 2 })
  const certificate = await (await makeIssuer(authority)).issue({
    subject: [{ type: 'CN', value: 'srv_1' }],
    dnsNames: [serverName],
    ipAddresses: [host],
    now,
    days: 1,
  })
  caPem = authority.certPem
  port = await freePort()
  for (const cwd of [home, stranger]) {
    mkdirSync(cwd)
    symlinkSync(join(import.meta.dirname, '../../node_modules'), join(cwd, 'node_modules'))
  }
  writeFileSync(join(home, 'ca.pem'), caPem)
  writeFileSync(join(stranger, 'ca.pem'), (await createAuthority({ subject, notBefore: now, days: 2 })).certPem)
  server = await startServer(certificate)
})

after(async () => {
  if (server && server.exitCode === null) {
    const exited = once(server, 'exit')
    server.kill('SIGKILL')
    await exited
  }
  rmSync(dir, { recursive: true })
})

/** A user who may do no more than any client needs to connect. */
async function startServer(certificate: { certPem: string; keyPem: string }): Promise<ChildProcess> {
  const [binary] = valkeyBinaries()
  assert.ok(binary, 'no valkey-server is here')
  const path = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  const rules =
    'resetchannels ~* -@all +hello +auth +ping +quit +info +select +client|setinfo +client|setname +client|id'
  const conf = [
    'port 0',
    `tls-port ${port}`,
    `bind ${host}`,
    `dir ${dir}`,
    'save ""',
    'tls-auth-clients no',
    `tls-cert-file ${path('server.crt', certificate.certPem)}`,
    `tls-key-file ${path('server.key', certificate.keyPem)}`,
    `tls-ca-cert-file ${path('server-ca.crt', caPem)}`,
    `aclfile ${path('users.acl', `user default off\nuser app on #${sha256Hex(password)} ${rules}\n`)}`,
  ]
  const child = spawn(binary.path, [path('valkey.conf', `${conf.join('\n')}\n`)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`valkey-server ended:\n${log}`)))
    child.stdout.on('data', (chunk) => {
      log += chunk
      if (log.includes('Ready to accept connections')) resolve()
    })
  })
  return child
}

async function execute(
  command: string[],
  cwd: string,
  env: Record<string, string>,
  stdin = '',
  until?: RegExp,
): Promise<Result> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env } })
  const result: Result = { code: null, stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    result.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    result.stderr += chunk
    if (until?.test(result.stderr)) child.kill('SIGKILL')
  })
  // A client that refuses the server may be gone before it reads.
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const [code] = await once(child, 'close')
  result.code = code
  return result
}

function saved(cwd: string, name: string, text: string): string {
  writeFileSync(join(cwd, name), text)
  return name
}

/** How each language's snippet is run here; undefined, and the test skipped, where its client is missing. */
const runners: Record<Language, (t: TestContext) => Run | undefined> = {
  'valkey-cli': (t) => {
    if (requirePart(t, 'valkey-cli') === undefined) return undefined
    return (text, cwd, env) => execute(['sh', '-c', text], cwd, env, 'PING\n')
  },
  node: () => (text, cwd, env, until) =>
    execute([process.execPath, saved(cwd, 'connect.mjs', text)], cwd, env, '', until),
  python: (t) => {
    const python = requirePart(t, 'python')
    return python === undefined
      ? undefined
      : (text, cwd, env) => execute([python, saved(cwd, 'connect.py', text)], cwd, env)
  },
  go: (t) => {
    const version = goClientVersion()
    if (version === undefined) {
      t.skip('SKIPPED: Go or its module github.com/valkey-io/valkey-go is not here; go mod download brings it')
      return undefined
    }
    return (text, cwd, env) => {
      saved(cwd, 'main.go', text)
      saved(cwd, 'go.mod', `module connect\n\ngo 1.24\n\nrequire github.com/valkey-io/valkey-go ${version}\n`)
      const offline = { GOFLAGS: '-mod=mod', GOPROXY: 'off', GOSUMDB: 'off', GOTOOLCHAIN: 'local' }
      return execute(['go', 'run', '.'], cwd, { ...env, ...offline })
    }
  },
}

/** The version of valkey-go in Go's module cache. */
function goClientVersion(): string | undefined {
  try {
    const modules = join(execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim(), 'github.com/valkey-io')
    const name = existsSync(modules) ? readdirSync(modules).find((entry) => entry.startsWith('valkey-go@')) : undefined
    return name?.split('@')[1]
  } catch {
    return undefined
  }
}

for (const language of ['valkey-cli', 'node', 'python', 'go'] as const) {
  test(`${language}: the snippet connects as it stands, and only to its server and with its password`, async (t) => {
    const run = runners[language](t)
    if (!run) return
    const facts = { instanceName: 'first', host, port, caPem }
    const named = connectionInfo({ ...facts, serverName, username: 'app' }).snippets[language]
    const open = connectionInfo({ ...facts, serverName: host }).snippets[language]
    const env = { VALKEY_PASSWORD: password }
    for (const [text, variables] of [
      [named, env],
      [open, { ...env, VALKEY_USERNAME: 'app' }],
    ] as const) {
      assert.deepEqual(await run(text, home, variables), { code: 0, stdout: 'PONG\n', stderr: '' })
    }
    const wrongPassword = await run(named, home, { VALKEY_PASSWORD: 'wrong' }, /invalid username-password pair/)
    assert.match(wrongPassword.stdout + wrongPassword.stderr, /invalid username-password pair/)
    assert.equal(wrongPassword.stdout.includes('PONG'), false)
    const wrongServer = await run(named, stranger, env, /certificate/)
    assert.match(wrongServer.stderr, /certificate/)
    assert.equal(wrongServer.stdout.includes('PONG'), false)
  })
}
