/** A tenant's client, as a program that connects over TLS with what `/connection` says. */
import assert from 'node:assert/strict'
import { connect, type ValkeyConnection } from '../../src/valkey/client.ts'
import type { KillablePlatform } from './killable-platform.ts'

export type Login = { username: string; password: string }

export type Endpoint = { host: string; port: number; ca: string }

export async function endpointOf(platform: Pick<KillablePlatform, 'ok'>, instanceId: string): Promise<Endpoint> {
  const {
    host,
    port,
    ca_pem: ca,
  } = await platform.ok<{ host: string; port: number; ca_pem: string }>(
    'GET',
    `/valkey-instances/${instanceId}/connection`,
  )
  return { host, port, ca }
}

/** Connects; rejects as `connect` does. */
export const login = (socket: Endpoint, { username, password }: Login, timeoutMs = 5_000): Promise<ValkeyConnection> =>
  connect({ socket, username, password, timeoutMs })

/** A PING answered over TLS, and the run id of who answered. */
export async function pinged(socket: Endpoint, user: Login): Promise<string> {
  await using client = await login(socket, user)
  assert.equal(await client.call(['PING']), 'PONG')
  return await runId(client)
}

export async function runId(client: ValkeyConnection): Promise<string> {
  return /^run_id:(\S+)/m.exec(String(await client.call(['INFO', 'server'])))?.[1] ?? ''
}
