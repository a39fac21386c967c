import type { Selectable } from 'kysely'
import type { Timestamp } from '../domain/model/common.ts'
import type { Certificate, Server } from '../domain/model/server.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

export type ServerPatch = Partial<Omit<Server, 'id' | 'instanceId' | 'createdAt'>>

type Row = Selectable<Database['servers']>

/** The certificate's columns are null together: every write here sets all of them. */
function toServer(row: Row): Server {
  const { certPem: pem, certKeySecretId, certFingerprint, certNotAfter, ...rest } = fromRow(row)
  const certificate =
    pem === null || certKeySecretId === null || certFingerprint === null || certNotAfter === null
      ? null
      : { pem, keySecretId: certKeySecretId, fingerprint: certFingerprint, notAfter: certNotAfter }
  return { ...rest, role: row.role as Server['role'], certificate }
}

const certificateColumns = (certificate: Certificate | null) => ({
  cert_pem: certificate?.pem ?? null,
  cert_key_secret_id: certificate?.keySecretId ?? null,
  cert_fingerprint: certificate?.fingerprint ?? null,
  cert_not_after: certificate?.notAfter ?? null,
})

/** @throws a unique violation where the node's port is another server's */
export async function insertServer(tx: Tx, server: Server): Promise<void> {
  const { certificate, ...rest } = server
  await tx
    .insertInto('servers')
    .values({ ...toRow(rest), ...certificateColumns(certificate) })
    .execute()
}

/** The servers of the instances, oldest first. */
export async function serversOfInstances(tx: Tx, instanceIds: readonly string[]): Promise<Server[]> {
  if (instanceIds.length === 0) return []
  const rows = await tx.selectFrom('servers').selectAll().where('instance_id', 'in', instanceIds).execute()
  return rows.map(toServer).sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** @throws where it is not there */
export async function updateServer(tx: Tx, id: string, patch: ServerPatch): Promise<Server> {
  const { certificate, ...rest } = patch
  const row = await tx
    .updateTable('servers')
    .set({ ...toRow(rest), ...(certificate === undefined ? {} : certificateColumns(certificate)) })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw new Error(`no server ${id}`)
  return toServer(row)
}

export async function deleteServer(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('servers').where('id', '=', id).execute()
}

/** All servers that belong on the node, with their instances: what else lies there is a stray. */
export async function serversOfNode(tx: Tx, nodeId: string): Promise<Pick<Server, 'id' | 'instanceId'>[]> {
  const rows = await tx.selectFrom('servers').select(['id', 'instance_id']).where('node_id', '=', nodeId).execute()
  return rows.map(fromRow)
}

/** Servers whose certificate ends before `before`, the most urgent first. */
export async function serversToRenew(tx: Tx, before: Timestamp, limit: number): Promise<Server[]> {
  const rows = await tx
    .selectFrom('servers')
    .selectAll()
    .where('cert_not_after', '<', before)
    .orderBy('cert_not_after')
    .limit(limit)
    .execute()
  return rows.map(toServer)
}
