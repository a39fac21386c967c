/** Certificates of servers: issued by the loop when there is none, or the one there is nears its end or lacks the address. */
import { X509Certificate } from 'node:crypto'
import { renewalDue } from '../domain/certificate.ts'
import type { Node } from '../domain/model/node.ts'
import type { Server } from '../domain/model/server.ts'
import type { Sealed, Vault } from '../domain/ports/vault.ts'
import type { Issuer } from '../vault/authority.ts'

const dayMs = 86_400_000

export type IssuedFor = {
  server: Server
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

/** New certificates for the servers that need one. */
export const issueDue = (deps: CertificateDeps, servers: Server[], nodes: Node[]): Promise<IssuedFor[]> =>
  Promise.all(
    servers
      .map((server) => ({ server, address: nodes.find((n) => n.id === server.nodeId)?.address ?? '127.0.0.1' }))
      .filter(({ server, address }) => due(deps, server, address))
      .map(async ({ server, address }) => {
        const issuer = await deps.issuer()
        const issued = await issuer.issue({
          subject: [{ type: 'CN', value: server.id }],
          dnsNames: [serverName(server.instanceId), 'localhost'],
          ipAddresses: [...new Set([address, '127.0.0.1', '::1'])],
          now: deps.now(),
          days: deps.days,
        })
        const secretId = deps.newId('secret')
        return {
          server,
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
