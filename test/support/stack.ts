/**
 * A stack in a temp directory as `valkeep stack init` lays it out, and real valkey-servers on its generated files: what a container
 * gives (paths, port, address) comes by the command line, everything else is the stack's.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { defaultSpec, type StackChoices } from '../../src/domain/stack/default-spec.ts'
import { certificateFiles, inContainer, secretFiles } from '../../src/domain/stack/places.ts'
import { parseCredentials, type PasswordChange } from '../../src/domain/stack/secrets.ts'
import type { StackSpec, StackUser } from '../../src/domain/stack/spec.ts'
import { type CertificateOptions, ensureCertificates } from '../../src/stack/certs.ts'
import { newReport, type Report } from '../../src/stack/report.ts'
import { renderStackConf } from '../../src/stack/conf-file.ts'
import { ensureSecrets } from '../../src/stack/secrets.ts'
import { renderSpec, SPEC_FILE } from '../../src/stack/spec-file.ts'
import { connect, type ConnectOptions, type ValkeyConnection } from '../../src/valkey/client.ts'
import { freePort } from './free-port.ts'

type CertificateFile = (typeof certificateFiles)[keyof typeof certificateFiles]

export type Stack = {
  /** Where its stack.yaml is. */
  root: string
  spec: StackSpec
  /** Absolute paths of its parts. */
  conf: string
  certs: string
  secrets: string
  /** A user's password, of the credentials file. */
  passwordOf: (user: string) => string
  /** One of its certificate files. */
  pem: (file: CertificateFile) => string
  /** Removes the directory. */
  remove: () => void
}

/** As `valkeep stack secrets` without a flag. */
export const noChange: PasswordChange = { force: false, rotate: undefined, keepOld: false, dropOld: undefined }

/** The command in what a person would be told to type. */
const command = (flags: string) => `valkeep stack secrets ${flags}`

/** As `valkeep stack secrets`, on a directory. */
export function secretsRun(
  dir: string,
  spec: StackSpec,
  change: Partial<PasswordChange> = {},
): Report & { changed: boolean } {
  const report = newReport()
  const changed = ensureSecrets({ dir, spec, change: { ...noChange, ...change }, owner: undefined, command }, report)
  return { ...report, changed }
}

/** As `valkeep stack certs`, on a directory. */
export async function certificatesRun(
  dir: string,
  spec: StackSpec,
  options: Partial<CertificateOptions> = {},
): Promise<Report> {
  const report = newReport()
  const flags = { renew: false, renewCa: false, force: false, owner: undefined, making: () => {}, command }
  await ensureCertificates({ dir, spec, now: new Date(), ...flags, ...options }, report)
  return report
}

/**
 * Makes a stack without its compose file and scripts.
 * @param options.users further users of stack.yaml
 * @param options.engine the oldest Valkey that it must start on
 * @param options.certificatesOf a stack whose certificates are taken over: new keys take seconds
 */
export async function makeStack(
  options: StackChoices & { users?: StackSpec['users']; engine?: string; certificatesOf?: Stack } = {},
): Promise<Stack> {
  const { users = {}, engine, certificatesOf, ...choices } = options
  const base = defaultSpec(choices)
  const spec = { ...base, engine: engine ?? base.engine, users: { ...base.users, ...users } }
  const root = mkdtempSync(join(tmpdir(), 'valkeep-stack-'))
  const [conf, certs, secrets] = [spec.files.config, spec.files.certs, spec.files.secrets].map((path) =>
    join(root, path),
  ) as [string, string, string]
  try {
    writeFileSync(join(root, SPEC_FILE), renderSpec(spec))
    mkdirSync(join(root, 'config'))
    writeFileSync(conf, renderStackConf(spec))
    secretsRun(secrets, spec)
    if (certificatesOf === undefined) await certificatesRun(certs, spec)
    else cpSync(certificatesOf.certs, certs, { recursive: true })
  } catch (error) {
    rmSync(root, { recursive: true })
    throw error
  }
  const credentials = parseCredentials(readFileSync(join(secrets, secretFiles.env), 'utf8'))
  return {
    root,
    spec,
    conf,
    certs,
    secrets,
    passwordOf: (user) => credentials.get(spec.users[user]?.env ?? '') ?? assert.fail(`no password of ${user}`),
    pem: (file) => readFileSync(join(certs, file), 'utf8'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** Every file under a directory, by its mode and what is in it. */
export function snapshot(dir: string): Map<string, string> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory())
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [relative(dir, path), `${(statSync(path).mode & 0o777).toString(8)} ${readFileSync(path, 'hex')}`]
    }),
  )
}

/** Which files are new, gone or other than in a snapshot. */
export function changedSince(before: ReadonlyMap<string, string>, dir: string): string[] {
  const now = snapshot(dir)
  const names = new Set([...before.keys(), ...now.keys()])
  return [...names].filter((name) => before.get(name) !== now.get(name)).toSorted()
}

const nobody = 65_534

/** Runs work while a directory of ours cannot be written to: as somebody else, where we are root, whom no mode holds back. */
export async function unwritable<T>(dir: string, work: () => T | Promise<T>): Promise<T> {
  const isRoot = process.geteuid?.() === 0
  const all = [dir, ...readdirSync(dir, { recursive: true }).map((name) => join(dir, String(name)))]
  chmodSync(dir, 0o555)
  if (isRoot) {
    for (const path of all) chownSync(path, nobody, nobody)
    process.seteuid?.(nobody)
  }
  try {
    return await work()
  } finally {
    if (isRoot) process.seteuid?.(0)
    chmodSync(dir, 0o755)
  }
}

/** What one connection does otherwise than a user of the stack should. */
export type OtherLogin = {
  password?: string
  client?: { cert: string; key: string } | undefined
  ca?: string
  host?: string
}

/** Disposed of it is stopped, and killed where that takes too long. */
export type StackServer = AsyncDisposable & {
  pid: number
  port: number
  /** Where its data lies. */
  dir: string
  /** What it has said so far. */
  log: () => string
  /** One more connection over TLS, with the stack's client certificate; closed with the server. */
  login: (user: string, other?: OtherLogin) => Promise<ValkeyConnection>
  signal: (name: NodeJS.Signals) => void
  /** SIGTERM. @returns its exit code, null where a signal ended it */
  stop: () => Promise<number | null>
  /** SIGKILL. */
  kill: () => Promise<void>
}

/** Then it is killed, and its exit code is none. */
const stopWithinMs = 15_000

/**
 * Ends a server once we are gone, whatever ended us: a shell that waits for the end of a pipe of ours.
 * @returns lets it go, for a server that has ended
 */
function lifeline(pid: number): () => void {
  const script = 'cat >/dev/null; kill -9 "$0"'
  // In a group of its own, which a signal to ours does not reach.
  const shell = spawn('sh', ['-c', script, String(pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  return () => {
    shell.kill('SIGKILL')
    shell.stdin.destroy()
  }
}

/** The generated file, with the data directory of this machine: `dir` is entered as it is read, so that no later one helps. */
function confWithDir(stack: Stack, dir: string): string {
  const conf = readFileSync(stack.conf, 'utf8')
  const lines = conf.split('\n').filter((line) => line === `dir ${inContainer.data}`)
  assert.equal(lines.length, 1, 'the configuration names its data directory once')
  const file = `${dir}.conf`
  writeFileSync(file, conf.replace(`\ndir ${inContainer.data}\n`, `\ndir ${dir}\n`))
  return file
}

/** What the compose file mounts and publishes, as directives. */
function containerArgs(stack: Stack, port: number): string[] {
  const { caCert, serverCert, serverKey } = certificateFiles
  const paths = {
    aclfile: join(stack.secrets, secretFiles.acl),
    'tls-ca-cert-file': join(stack.certs, caCert),
    'tls-cert-file': join(stack.certs, serverCert),
    'tls-key-file': join(stack.certs, serverKey),
  }
  const words = Object.entries(paths).flatMap(([name, path]) => [`--${name}`, path])
  return [...words, '--bind', '127.0.0.1', '--tls-port', String(port)]
}

function untilReady(child: ChildProcess, log: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`valkey-server ended (${code ?? signal}):\n${log()}`)))
    child.stdout?.on('data', () => {
      if (/ready to accept connections/i.test(log())) resolve()
    })
  })
}

/**
 * Starts a server on a stack's files. It ends with the test's process at the latest.
 * @param options.binary of valkeyBinaries (parts.ts)
 * @param options.data name of its data directory under the stack's; started again with the same one it finds its data
 * @param options.args further directives, for a server that is to differ from the stack's
 * @throws Error with the server's log where it does not come up
 */
export async function startStackServer(options: {
  binary: string
  stack: Stack
  data?: string
  args?: string[]
}): Promise<StackServer> {
  const { binary, stack, data = 'data', args = [] } = options
  const dir = join(stack.root, data)
  mkdirSync(dir, { recursive: true })
  const port = await freePort()
  const child = spawn(binary, [confWithDir(stack, dir), ...containerArgs(stack, port), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const release = child.pid === undefined ? () => {} : lifeline(child.pid)
  let isRunning = true
  let log = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    log += chunk.toString()
  })
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', resolve)
    child.once('error', () => resolve(null))
  }).finally(() => {
    isRunning = false
    release()
  })
  const sessions: ValkeyConnection[] = []
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    await Promise.all(sessions.splice(0).map((session) => session.close()))
    if (!isRunning) return exited
    child.kill(signal)
    // One that a test has stopped hears nothing before it goes on.
    child.kill('SIGCONT')
    const overdue = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
    void exited.then(() => clearTimeout(overdue))
    return exited
  }
  try {
    await untilReady(child, () => log)
  } catch (error) {
    await end('SIGKILL')
    throw error
  }
  return {
    pid: child.pid ?? 0,
    port,
    dir,
    log: () => log,
    async login(user, other = {}) {
      const session = await connect(loginTo(stack, port, user, other))
      sessions.push(session)
      return session
    },
    signal: (name) => void child.kill(name),
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => void (await end('SIGTERM')),
    kill: async () => void (await end('SIGKILL')),
  }
}

const { caCert, clientCert, clientKey } = certificateFiles

/** Of stack.yaml's `engine`: a version of the tests' has its patch level or its minor one left out. */
export const engineOf = (version: string): string => (version.includes('.') ? version : `${version}.0`)

/** A fifth user, declared as anybody may declare one, who may do everything that is left: the judge of what others did. */
export const watcher: StackUser = { keys: ['~*'], channels: ['&*'], commands: ['+@all'], env: 'WATCHER_PASS' }

/**
 * What a server answers to a PING without a login.
 * @param options over those of a client of the stack
 * @throws Error with the `code` of what ended the connection instead
 */
export function pingOverTls(stack: Stack, port: number, options: ConnectionOptions = {}): Promise<string> {
  const own = { ca: stack.pem(caCert), cert: stack.pem(clientCert), key: stack.pem(clientKey) }
  const socket = connectTls({ host: '127.0.0.1', port, ...own, ...options })
  return new Promise<string>((resolve, reject) => {
    socket.once('secureConnect', () => socket.write('PING\r\n'))
    socket.once('data', (chunk) => resolve(chunk.toString('latin1')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection was closed')))
  }).finally(() => socket.destroy())
}

/** How a user of the stack connects to a server on this port. */
function loginTo(stack: Stack, port: number, user: string, other: OtherLogin): ConnectOptions {
  const client = 'client' in other ? other.client : { cert: stack.pem(clientCert), key: stack.pem(clientKey) }
  const socket = { host: other.host ?? '127.0.0.1', port, ca: other.ca ?? stack.pem(caCert) }
  return {
    socket: client === undefined ? socket : { ...socket, client },
    username: user,
    password: other.password ?? stack.passwordOf(user),
    timeoutMs: 10_000,
  }
}
