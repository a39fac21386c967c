/** Certificates of servers: issued by the loop when there is none, or the one there is nears its end or lacks the address. */
import { X509Certificate } from 'node:crypto'
import { renewalDue } from '../domain/certificate.ts'
import type { Node } from '../domain/model/node.ts'
import type { Server } from '../domain/model/server.ts'
import type { Sealed, Vault } from '../domain/ports/vault.ts'
import type { Issuer } from '../vault/authority.ts'

const dayMs = 86_400_000

export type IssuedFor = {
  serverId: string
  secretId: string
  sealed: Sealed
  certificate: { pem: string; fingerprint: string; notAfter: string }
}

export type CertificateDeps = {
  issuer: () => Promise<Issuer>
  vault: Vault
  newId: (noun: 'secret') => string
  now: () => Date
  /** Lifetime of a server's certificate. */
  days: number
}

/** The DNS name that a server's clients may verify wherever its address moves. */
export const serverName = (instanceId: string) => `${instanceId.replace('_', '-')}.valkeep.internal`

const addressOf = (server: Server, nodes: Node[]) => nodes.find((n) => n.id === server.nodeId)?.address ?? '127.0.0.1'

/** Those of the servers that need a new certificate. Issues nothing. */
export const dueServers = (deps: CertificateDeps, servers: Server[], nodes: Node[]): Server[] =>
  servers.filter((server) => due(deps, server, addressOf(server, nodes)))

/** New certificates for the servers that need one. */
export const issueDue = (deps: CertificateDeps, servers: Server[], nodes: Node[]): Promise<IssuedFor[]> =>
  Promise.all(
    dueServers(deps, servers, nodes).map(async (server) => {
      const issuer = await deps.issuer()
      const issued = await issuer.issue({
        subject: [{ type: 'CN', value: server.id }],
        dnsNames: [serverName(server.instanceId), 'localhost'],
        ipAddresses: [...new Set([addressOf(server, nodes), '127.0.0.1', '::1'])],
        now: deps.now(),
        days: deps.days,
      })
      const secretId = deps.newId('secret')
      return {
        serverId: server.id,
        secretId,
        sealed: deps.vault.seal(issued.keyPem, secretId),
        certificate: {
          pem: issued.certPem,
          fingerprint: issued.fingerprint,
          notAfter: issued.notAfter.toISOString(),
        },
      }
    }),
  )

function due(deps: CertificateDeps, server: Server, address: string): boolean {
  if (!server.certificate) return true
  // The node's address is a setting: clients that verify it would refuse a certificate made for another one.
  if (new X509Certificate(server.certificate.pem).checkIP(address) === undefined) return true
  const notAfter = new Date(server.certificate.notAfter)
  return renewalDue({ notBefore: new Date(notAfter.getTime() - deps.days * dayMs), notAfter }, deps.now())
}
