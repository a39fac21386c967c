/** From rows to the desired state of an instance. */
import { createHash } from 'node:crypto'
import type { AclUser } from '../domain/acl/acl-user.ts'
import { platformUsers, tenantAclUser } from '../domain/acl/tenant-user.ts'
import { managedConf } from '../domain/conf/managed.ts'
import type { Instance } from '../domain/model/instance.ts'
import type { Node } from '../domain/model/node.ts'
import type { Server } from '../domain/model/server.ts'
import type { User } from '../domain/model/user.ts'
import type { InstanceSpec, ServerSpec } from '../domain/plan/spec.ts'
import type { NodeFacts } from '../domain/ports/node-agent.ts'
import { serverLayout } from '../domain/server-plan.ts'

/** One instance with all that belongs to it, as the store holds it at one moment. */
export type InstanceRows = {
  instance: Instance
  servers: Server[]
  nodes: Node[]
  /** Tenants' and sessions' users that are not deleted. */
  users: User[]
  /** A delete was asked for, and is final. */
  doomed: boolean
  /** Ids of users whose delete was asked for. */
  doomedUsers: ReadonlySet<string>
  accept: InstanceSpec['accept']
}

export type SpecDeps = {
  facts: (nodeId: string) => NodeFacts
  /** Unseals many at once: id → plain text. */
  unsealAll: (ids: string[]) => Promise<Map<string, string>>
  caPem: () => string
}

/** Users that a plan brings into effect: neither doomed nor held. One that failed with its instance comes back with it. */
export const servedUsers = (rows: InstanceRows): User[] =>
  rows.users.filter((user) => !user.held && !rows.doomedUsers.has(user.id))

/**
 * The desired state of an instance. The driver issues the certificates of its servers first.
 * @throws VaultError where a secret cannot be unsealed
 */
export async function instanceSpec(deps: SpecDeps, rows: InstanceRows): Promise<InstanceSpec> {
  const { instance } = rows
  // What is to vanish needs no users, and no secret of it has to be readable any more.
  const acl = rows.doomed ? () => [] : await aclOf(deps, rows)
  const ignoreUsers = rows.users.filter((u) => u.held && !rows.doomedUsers.has(u.id))
  return {
    instanceId: instance.id,
    desired: rows.doomed ? 'absent' : instance.desiredState,
    everActive: instance.everActive,
    accept: rows.accept,
    servers: rows.servers.map((server) => ({
      ...serverSpec(deps, rows, server, acl(server)),
      ignoreUsers: ignoreUsers.map((user) => user.username),
    })),
  }
}

/** Every server's users: the platform's own, and those of the tenant. */
async function aclOf(deps: SpecDeps, rows: InstanceRows): Promise<(server: Server) => AclUser[]> {
  const users = servedUsers(rows)
  const secrets = await deps.unsealAll([
    ...users.map((user) => user.passwordSecretId),
    ...rows.servers.flatMap((s) => [s.adminSecretId, s.replicationSecretId, s.monitorSecretId]),
  ])
  const secret = (id: string) => {
    const plain = secrets.get(id)
    if (plain === undefined) throw new Error(`secret ${id} is missing from the store`)
    return plain
  }
  const tenantUsers = users.map((user) =>
    tenantAclUser({
      username: user.username,
      passwordSha256s: [secret(user.passwordSecretId)],
      privileges: user.privileges,
      keyPattern: user.keyPattern,
      channelPattern: user.channelPattern,
    }),
  )
  return (server) => [...platformAcl(server, secret), ...tenantUsers]
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const platformAcl = (server: Server, secret: (id: string) => string): AclUser[] =>
  platformUsers({
    adminSha256: sha256(secret(server.adminSecretId)),
    replicationSha256: sha256(secret(server.replicationSecretId)),
    monitorSha256: sha256(secret(server.monitorSecretId)),
  })

function serverSpec(
  deps: SpecDeps,
  rows: InstanceRows,
  server: Server,
  acl: AclUser[],
): Omit<ServerSpec, 'ignoreUsers'> {
  const { instance } = rows
  const node = rows.nodes.find((n) => n.id === server.nodeId)
  if (!node) throw new Error(`node ${server.nodeId} of ${server.id} is missing from the store`)
  const facts = deps.facts(node.id)
  const listen = { host: node.address, port: server.port }
  const layout = serverLayout(facts.serversDir, facts.socketsDir, server.id)
  return {
    handle: { id: server.id, adminRef: server.adminSecretId },
    nodeId: node.id,
    plan: {
      id: server.id,
      conf: managedConf({
        layout,
        listen,
        maxMemoryMb: instance.maxMemoryMb,
        settings: instance.settings,
        version: server.engineVersion,
      }),
      acl,
      tls: {
        certPem: server.certificate?.pem ?? '',
        keyRef: server.certificate?.keySecretId ?? '',
        fingerprint: server.certificate?.fingerprint ?? '',
        caPem: deps.caPem(),
      },
      engine: { version: server.engineVersion, binary: facts.engine.binary },
      listen,
      limits: { memoryMb: instance.maxMemoryMb },
    },
  }
}
