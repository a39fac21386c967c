/** The write that begins a run: statuses, and certificates that are due. */
import { transition } from '../../domain/lifecycle.ts'
import type { Instance } from '../../domain/model/instance.ts'
import type { Operation } from '../../domain/model/operation.ts'
import type { Certificate, Server } from '../../domain/model/server.ts'
import type { Status } from '../../domain/model/status.ts'
import type { User } from '../../domain/model/user.ts'
import { updateInstance } from '../../store/instances.ts'
import { updateOperation } from '../../store/operations.ts'
import { deleteSecrets, insertSecrets } from '../../store/secrets.ts'
import { updateServer } from '../../store/servers.ts'
import type { Tx } from '../../store/store.ts'
import { updateUser } from '../../store/users.ts'
import type { IssuedFor } from '../certificates.ts'
import type { Loaded } from './load.ts'

/**
 * Marks what is worked on, and stores certificates. Writes nothing where all of it is marked already.
 * @returns the rows as they are then
 */
export async function beginRun(tx: Tx, loaded: Loaded, certificates: IssuedFor[], now: string): Promise<Loaded> {
  const open: Operation[] = []
  for (const operation of loaded.open) {
    const begins = operation.status === 'pending'
    const running = { status: 'running', startedAt: now, updatedAt: now } as const
    open.push(begins ? await updateOperation(tx, operation.id, running) : operation)
  }
  const users: User[] = []
  for (const user of loaded.users) users.push(await beginUser(tx, loaded, user, now))
  const servers: Server[] = []
  for (const server of loaded.servers) {
    const issued = certificates.find((each) => each.serverId === server.id)
    servers.push(issued ? await storeCertificate(tx, server, issued, now) : server)
  }
  return { ...loaded, instance: await beginInstance(tx, loaded, now), open, users, servers }
}

async function beginInstance(tx: Tx, loaded: Loaded, now: string): Promise<Instance> {
  const { instance, open } = loaded
  const ownChange = loaded.doomed || open.some((operation) => operation.userId === null)
  const status = ownChange ? workingStatus(loaded) : instance.status
  if (status === instance.status) return instance
  return updateInstance(tx, instance.id, { status, statusMessage: null, updatedAt: now })
}

async function beginUser(tx: Tx, { open, doomedUsers }: Loaded, user: User, now: string): Promise<User> {
  const asked = user.status === 'pending' || open.some((operation) => operation.userId === user.id)
  if (!asked || user.status === 'provisioning' || doomedUsers.has(user.id)) return user
  return updateUser(tx, user.id, {
    status: transition(user.status, 'begin'),
    statusMessage: null,
    held: false,
    updatedAt: now,
  })
}

function workingStatus({ instance, doomed }: Loaded): Status {
  if (!doomed) return transition(instance.status, 'begin')
  return instance.status === 'deleting' ? instance.status : transition(instance.status, 'delete')
}

/** A renewal replaces certificate and key in one write; the old key's secret goes with it. */
async function storeCertificate(tx: Tx, server: Server, issued: IssuedFor, now: string): Promise<Server> {
  const { secretId, sealed } = issued
  await insertSecrets(tx, [{ id: secretId, ...sealed, createdAt: now }])
  const certificate: Certificate = { ...issued.certificate, keySecretId: secretId }
  if (server.certificate) await deleteSecrets(tx, [server.certificate.keySecretId])
  return updateServer(tx, server.id, { certificate })
}
