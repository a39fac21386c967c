/** Everything one valkey-server process needs, and nothing about where it runs. */
import type { AclUser } from './acl/acl-user.ts'
import type { Directive } from './conf/directive.ts'

/** A reference to a sealed secret: the id of a row in the store, never the secret. */
export type SecretRef = string

/** What a server shows its clients: the certificate and the bundle are public, the key is a reference. */
export type ServerTls = {
  certPem: string
  /** Bundle of every CA that clients and replicas may have to trust. */
  caPem: string
  keyRef: SecretRef
  /** SHA-256 of the certificate's DER, lower-case hex: what a handshake must show. */
  fingerprint: string
}

export type Engine = {
  /** As INFO says it, for example `8.0.1`. */
  version: string
  /** Absolute path of the valkey-server binary. */
  binary: string
}

export type ServerPlan = {
  /** Names files, sockets and directories; never a string a user typed. */
  id: string
  conf: Directive[]
  acl: AclUser[]
  tls: ServerTls
  engine: Engine
  listen: { host: string; port: number }
  limits: { memoryMb: number }
}

/** Where one server's files live on its node. All absolute. */
export type ServerLayout = {
  dir: string
  conf: string
  acl: string
  tlsDir: string
  cert: string
  key: string
  ca: string
  dataDir: string
  log: string
  socket: string
}

/**
 * Layout of a server's files below a node's directories.
 * @param serversDir absolute directory that holds one 0700 directory per server
 * @param socketsDir absolute, short, 0700: a unix socket path of 108 bytes or more is refused by valkey (facts §1)
 */
export function serverLayout(serversDir: string, socketsDir: string, id: string): ServerLayout {
  const dir = `${serversDir}/${id}`
  return {
    dir,
    conf: `${dir}/valkey.conf`,
    acl: `${dir}/acl/users.acl`,
    tlsDir: `${dir}/tls`,
    cert: `${dir}/tls/server.crt`,
    key: `${dir}/tls/server.key`,
    ca: `${dir}/tls/ca.crt`,
    dataDir: `${dir}/data`,
    log: `${dir}/valkey.log`,
    socket: `${socketsDir}/${id}.sock`,
  }
}
