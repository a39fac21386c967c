/**
 * A valkey-server with the platform's own configuration, certificates and ACL file, started without the platform: what
 * domain/conf renders and src/valkey talks to.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Directive } from '../../src/domain/conf/directive.ts'
import { managedConf } from '../../src/domain/conf/managed.ts'
import { renderConf } from '../../src/domain/conf/render.ts'
import type { InstanceSettings } from '../../src/domain/conf/settings.ts'
import { type ServerLayout, serverLayout } from '../../src/domain/server-plan.ts'
import { freePort } from './free-port.ts'

export const ADMIN = { username: 'admin', password: 'correct horse battery' }

export type ManagedValkey = {
  pid: number
  layout: ServerLayout
  port: number
  conf: Directive[]
  /** PEM of the CA. */
  ca: string
  /** SHA-256 of the served certificate's DER, lower-case hex. */
  fingerprint: string
  signal: (name: NodeJS.Signals) => void
  /** Resolves when the process has ended, however. */
  exited: Promise<void>
  /** Starts it again, from the same files. */
  restart: () => Promise<void>
  /** Ends the process where it still runs, and removes its directory. Safe to repeat. */
  stop: () => Promise<void>
}

/**
 * @param version of the engine, at least major and minor
 * @param extra further directives, over the managed ones
 */
export async function startManagedValkey(options: {
  binary: string
  version: string
  settings?: InstanceSettings
  extra?: Directive[]
}): Promise<ManagedValkey> {
  const dir = mkdtempSync(join(tmpdir(), 'managed-'))
  const layout = serverLayout(join(dir, 'servers'), join(dir, 's'), 'srv_1')
  for (const one of [layout.tlsDir, layout.dataDir, dirname(layout.acl), dirname(layout.socket)]) {
    mkdirSync(one, { recursive: true, mode: 0o700 })
  }
  const port = await freePort()
  const conf = managedConf({
    layout,
    listen: { host: '127.0.0.1', port },
    maxMemoryMb: 64,
    settings: options.settings ?? {},
    version: options.version,
    openFiles: hardOpenFiles(),
  })
  makeCertificates(layout)
  const digest = createHash('sha256').update(ADMIN.password).digest('hex')
  writeFileSync(layout.acl, `user default off resetkeys -@all\nuser ${ADMIN.username} on #${digest} ~* &* +@all\n`)
  writeFileSync(layout.conf, renderConf([...conf, ...(options.extra ?? [])]))

  let child: ChildProcess
  const start = async (): Promise<void> => {
    child = spawn(options.binary, [layout.conf], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
    process.once('exit', killNow)
    void ended.then(() => process.off('exit', killNow))
    server.exited = ended
    await untilReady(child)
    server.pid = child.pid ?? 0
  }
  const killNow = (): void => void child.kill('SIGKILL')
  const server: ManagedValkey = {
    pid: 0,
    layout,
    port,
    conf,
    ca: readFileSync(layout.ca, 'utf8'),
    fingerprint: createHash('sha256')
      .update(new X509Certificate(readFileSync(layout.cert)).raw)
      .digest('hex'),
    signal: (name) => void child.kill(name),
    exited: Promise.resolve(),
    restart: start,
    stop: async () => {
      killNow()
      await server.exited
      await rm(dir, { recursive: true, force: true })
    },
  }
  try {
    await start()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = ''
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`valkey-server ended (${code ?? signal}):\n${log}`)))
    child.stdout?.on('data', (chunk: Buffer) => {
      if (log.length < 65_536) log += chunk.toString()
      if (/ready to accept connections/i.test(log)) resolve()
    })
  })
}

/** A CA and a server certificate for 127.0.0.1, P-256. */
function makeCertificates(layout: ServerLayout): void {
  const caKey = join(layout.tlsDir, 'test-ca.key')
  const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-x509']
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', ['req', ...p256, ...args], { stdio: 'pipe' })
  openssl('-subj', '/CN=Test CA', '-keyout', caKey, '-out', layout.ca)
  openssl(
    ...['-subj', '/CN=valkey', '-keyout', layout.key, '-out', layout.cert, '-CA', layout.ca, '-CAkey', caKey],
    ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE'],
  )
}

function hardOpenFiles(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  return limit === 'unlimited' ? 1_048_576 : Number(limit)
}
