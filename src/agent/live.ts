/** What a running server says of itself. */
import { lstat } from 'node:fs/promises'
import { connect as connectTls } from 'node:tls'
import type { LiveObservation, ServerHandle } from '../domain/plan/spec.ts'
import type { ServerPlan } from '../domain/server-plan.ts'
import type { ValkeyConnection } from '../valkey/client.ts'
import { aclList, configGetAll, info } from '../valkey/commands.ts'
import { ValkeyUntrusted } from '../valkey/errors.ts'
import type { ServerInfo } from '../valkey/info.ts'
import { readUsers } from './acl-users.ts'
import { type AgentDeps, connectAdmin } from './admin.ts'

type Served = {
  fingerprint: string /** null: not asked, since the certificate is not to be trusted. */
  runId: string | null
}
/** What the port that clients use shows. */
type TlsFacts = Served | { error: string }

export type Answers = { live: Omit<LiveObservation, 'tls'>; tls: TlsFacts }

/**
 * Asks over the socket and over TLS side by side.
 * @returns null where there is no socket: nothing runs
 */
export async function askServer(
  deps: AgentDeps,
  server: ServerHandle,
  plan: ServerPlan,
): Promise<Answers | { silent: string } | null> {
  const socket = await lstat(deps.runtime.layout(server.id).socket).catch(() => undefined)
  if (!socket) return null
  const password = deps.readSecret(server.adminRef)
  const once = { ...deps, readSecret: () => password }
  const [live, tls] = await Promise.allSettled([overSocket(once, server), overTls(once, server, plan)])
  if (live.status === 'rejected') return { silent: messageOf(live.reason) }
  return { live: live.value, tls: tls.status === 'fulfilled' ? tls.value : { error: messageOf(tls.reason) } }
}

/** Whether the very server that answers over the socket was heard over TLS. */
export const servesPort = (asked: Answers | { silent: string } | null): boolean =>
  asked !== null && 'tls' in asked && 'runId' in asked.tls && asked.tls.runId === asked.live.runId

/** The same process must answer on both: over TLS nobody else's answer counts. */
export function joinTls({ live, tls }: Answers, port: 'free' | 'ours' | 'stranger'): LiveObservation {
  if ('error' in tls) return { ...live, tls }
  // Not trusted, but our own process by its listening socket: an expired certificate, or one of an older authority.
  const runId = tls.runId ?? (port === 'ours' ? live.runId : null)
  if (runId === live.runId) return { ...live, tls: { fingerprint: tls.fingerprint, runId } }
  return { ...live, tls: { error: 'another server answers on its port' } }
}

async function overSocket(deps: AgentDeps, server: ServerHandle): Promise<Omit<LiveObservation, 'tls'>> {
  await using connection = await connectAdmin(deps, server)
  const [facts, config, acl] = await Promise.all([info(connection), configGetAll(connection), aclList(connection)])
  return {
    version: facts.version,
    runId: facts.runId,
    processId: facts.processId,
    configFile: facts.configFile,
    loading: facts.loading,
    aofRewriting: facts.aof.rewriteInProgress || facts.aof.rewriteScheduled || facts.rdb.bgsaveInProgress,
    persistenceError: persistenceError(facts),
    config: withoutSecrets(config),
    acl: readUsers(acl),
  }
}

function persistenceError({ aof, rdb }: ServerInfo): string | null {
  if (aof.lastWriteStatus === 'err') return 'it cannot write its append-only file'
  if (aof.lastBgrewriteStatus === 'err') return 'the last rewrite of its append-only file failed'
  return rdb.lastBgsaveStatus === 'err' ? 'its last snapshot failed' : null
}

const secretDirectives = ['requirepass', 'masterauth', 'primaryauth', 'tls-key-file-pass', 'tls-client-key-file-pass']

/** CONFIG GET shows passwords as they are; an observation only whether there is one. */
function withoutSecrets(config: Record<string, string>): Record<string, string> {
  const hidden = secretDirectives.flatMap((name) => (config[name] ? [[name, '(set)'] as const] : []))
  return { ...config, ...Object.fromEntries(hidden) }
}

async function overTls(deps: AgentDeps, server: ServerHandle, plan: ServerPlan): Promise<TlsFacts> {
  const { host, port } = plan.listen
  let connection: ValkeyConnection
  try {
    connection = await connectAdmin(deps, server, { host, port, ca: plan.tls.caPem })
  } catch (error) {
    if (!(error instanceof ValkeyUntrusted)) throw error
    const fingerprint = await servedFingerprint(plan.listen, deps.callMs)
    // Exactly what was asked for, and clients would still not trust it.
    if (fingerprint === plan.tls.fingerprint) throw error
    return { fingerprint, runId: null }
  }
  await using open = connection
  if (open.servedFingerprint === null) throw new TypeError('a TLS connection has no certificate')
  return { fingerprint: open.servedFingerprint, runId: (await info(open)).runId }
}

/** Reads the certificate of whoever listens there, trusts nobody and sends nothing. */
function servedFingerprint(listen: { host: string; port: number }, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...listen, rejectUnauthorized: false, timeout: timeoutMs })
    const fail = (error: Error) => {
      socket.destroy()
      reject(error)
    }
    socket.once('secureConnect', () => {
      const { fingerprint256 } = socket.getPeerCertificate()
      socket.destroy()
      if (fingerprint256) resolve(fingerprint256.replaceAll(':', '').toLowerCase())
      else reject(new Error('no certificate is served'))
    })
    socket.once('timeout', () => fail(new Error(`no certificate within ${timeoutMs} ms`)))
    socket.once('error', fail)
  })
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
