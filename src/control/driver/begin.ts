/** The write that begins a run: statuses, and certificates that are due. */
import { transition } from '../../domain/lifecycle.ts'
import type { Status } from '../../domain/model/status.ts'
import type { Certificate } from '../../domain/model/server.ts'
import { updateInstance } from '../../store/instances.ts'
import { updateOperation } from '../../store/operations.ts'
import { deleteSecrets, insertSecrets } from '../../store/secrets.ts'
import { updateServer } from '../../store/servers.ts'
import type { Tx } from '../../store/store.ts'
import { updateUser } from '../../store/users.ts'
import type { IssuedFor } from '../certificates.ts'
import type { Loaded } from './load.ts'

/** Marks what is worked on, and stores certificates. Writes nothing where all of it is marked already. */
export async function beginRun(tx: Tx, loaded: Loaded, certificates: IssuedFor[], now: string): Promise<void> {
  const { instance, open } = loaded
  for (const operation of open)
    if (operation.status === 'pending')
      await updateOperation(tx, operation.id, { status: 'running', startedAt: now, updatedAt: now })
  const ownChange = loaded.doomed || open.some((operation) => operation.userId === null)
  const status = ownChange ? workingStatus(loaded) : instance.status
  if (status !== instance.status) await updateInstance(tx, instance.id, { status, statusMessage: null, updatedAt: now })
  for (const user of loaded.users) {
    const asked = user.status === 'pending' || open.some((operation) => operation.userId === user.id)
    if (!asked || user.status === 'provisioning' || loaded.doomedUsers.has(user.id)) continue
    await updateUser(tx, user.id, { status: transition(user.status, 'begin'), statusMessage: null, updatedAt: now })
  }
  for (const issued of certificates) await storeCertificate(tx, issued, now)
}

function workingStatus({ instance, doomed }: Loaded): Status {
  if (!doomed) return transition(instance.status, 'begin')
  return instance.status === 'deleting' ? instance.status : transition(instance.status, 'delete')
}

/** A renewal replaces certificate and key in one write; the old key's secret goes with it. */
async function storeCertificate(tx: Tx, issued: IssuedFor, now: string): Promise<void> {
  const { server, secretId, sealed } = issued
  await insertSecrets(tx, [{ id: secretId, ...sealed, createdAt: now }])
  const certificate: Certificate = { ...issued.certificate, keySecretId: secretId }
  await updateServer(tx, server.id, { certificate })
  if (server.certificate) await deleteSecrets(tx, [server.certificate.keySecretId])
}
