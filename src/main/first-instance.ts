/** The very first start: an instance to try, made and used like anybody's, and what to do with it. */
import { makeCreateInstance } from '../control/create-instance.ts'
import { platformContext } from '../control/platform-context.ts'
import { makeUpdateUser } from '../control/users.ts'
import { getFact, setFact } from '../store/installation.ts'
import { findInstance } from '../store/instances.ts'
import { findOperation } from '../store/operations.ts'
import { serversOfInstances } from '../store/servers.ts'
import { findNode } from '../store/nodes.ts'
import { findTenantByName } from '../store/tenants.ts'
import { findUserByName } from '../store/users.ts'
import type { Platform } from './compose.ts'

const name = 'first'
const username = 'app'
const waitMs = 120_000

export type FirstInstance = {
  username: string
  /** Shown once: it is kept nowhere. */
  password: string
  host: string
  port: number
  caPem: string
}

/**
 * Makes the first instance unless it was made and shown before. Killed in between, the next start gives its user a new
 * password: the one it had was never shown.
 * @returns null where there is nothing to show
 * @throws Error with the operation's cause where it does not become active
 */
export async function ensureFirstInstance(platform: Platform): Promise<FirstInstance | null> {
  const { store, control, driver } = platform
  const now = new Date().toISOString()
  const password = control.randomPassword()
  const made = await store.write(async (tx) => {
    if ((await getFact(tx, 'first_shown')) !== undefined) return null
    const before = await getFact(tx, 'first_instance')
    const context = platformContext(now)
    if (before !== undefined) {
      const user = await findUserByName(tx, before, username)
      if (!user || !(await findInstance(tx, before))) return null
      return makeUpdateUser(control)(tx, context, { id: user.id, body: { password } })
    }
    const tenant = await findTenantByName(tx, 'default')
    if (!tenant) return null
    const user = { username, password, privileges: ['full'] }
    const outcome = await makeCreateInstance(control)(tx, context, {
      tenantId: tenant.id,
      body: { name, users: [user] },
    })
    await setFact(tx, 'first_instance', outcome.result.id)
    return outcome
  })
  if (made?.operationId === undefined || made.wake === undefined) return null
  driver.wake(made.wake)
  await driver.settled(made.operationId, waitMs)
  return connected(platform, made.operationId, made.wake, password)
}

/** Connects as the user, over TLS, like any client would. */
async function connected(
  platform: Platform,
  operationId: string,
  instanceId: string,
  password: string,
): Promise<FirstInstance> {
  const { operation, server, node } = await platform.store.read(async (db) => {
    const [server] = await serversOfInstances(db, [instanceId])
    return {
      operation: await findOperation(db, operationId),
      server,
      node: server && (await findNode(db, server.nodeId)),
    }
  })
  if (operation?.status !== 'succeeded' || !server || !node)
    throw new Error(operation?.cause?.message ?? `operation ${operationId} is still ${operation?.status}`)
  const caPem = platform.caPem()
  const place = { host: node.address, port: server.port }
  const { connect } = await import('../valkey/client.ts')
  await using client = await connect({ socket: { ...place, ca: caPem }, username, password, timeoutMs: 10_000 })
  await client.call(['SET', 'valkeep:hello', new Date().toISOString()])
  return { username, password, ...place, caPem }
}

/** To be called once the password was shown. */
export const rememberShown = (platform: Platform): Promise<void> =>
  platform.store.write((tx) => setFact(tx, 'first_shown', new Date().toISOString()))
