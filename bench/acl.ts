import { setTimeout as delay } from 'node:timers/promises'
import { PLATFORM_USERS } from '../src/domain/acl/tenant-user.ts'
import { connect, type ValkeyConnection } from '../src/valkey/client.ts'
import { adminPassword } from '../test/support/plan.ts'
import { makeHome, type Up } from './support/home.ts'
import { appPassword, createInstance, settled } from './support/instances.ts'
import { makeRawServers } from './support/raw.ts'
import { type Bench, figure, median } from './support/report.ts'
import { inTurns } from './support/turns.ts'

const goalMs = 25
const turns = 60
const warmUp = 5
const pollMs = 0.5

/** A user's privileges change, until a client that is connected all the while is held to it. */
export const acl: Bench = {
  name: 'acl',
  about: 'PUT user until a connected client is held to it',
  async run(progress) {
    const home = await makeHome(29_000)
    const rawServers = await makeRawServers()
    try {
      const up = await home.up()
      progress(`${turns} turns`)
      await using ours = await overApi(up)
      const server = await rawServers.prepare()
      await server.start()
      await using raw = await byHand(server)
      const succeeded: number[] = []
      const measured = await inTurns(
        turns,
        warmUp,
        async (turn) => {
          const { enforcedMs, succeededMs } = await ours.change(turn % 2 === 0)
          if (turn >= warmUp) succeeded.push(succeededMs)
          return enforcedMs
        },
        (turn) => raw.change(turn % 2 === 0),
      )
      const over = median(measured.ours) - median(measured.raw)
      return [
        {
          what: 'user update',
          goal: `p50 ≤ raw + ${goalMs} ms`,
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio: median(measured.ours) / median(measured.raw),
          met: over <= goalMs,
          cause: `p50 ${over.toFixed(1)} ms over raw; verified and succeeded after ${median(succeeded).toFixed(1)} ms`,
        },
      ]
    } finally {
      await home.remove()
      await rawServers.remove()
    }
  },
}

async function overApi(up: Up) {
  const { id } = await createInstance(up, 'bench')
  const users = await up.call<{ items: { id: string }[] }>('GET', `/valkey-instances/${id}/users`)
  const path = `/valkey-users/${users.body.items[0]?.id}`
  const { body } = await up.call<{ host: string; port: number; ca_pem: string }>(
    'GET',
    `/valkey-instances/${id}/connection`,
  )
  const client = await appClient(body.host, body.port, body.ca_pem)
  return {
    async change(mayWrite: boolean) {
      const startedAt = performance.now()
      const enforced = untilWrites(client, mayWrite).then(() => performance.now() - startedAt)
      const answer = await up.call('PUT', path, { body: { privileges: [mayWrite ? 'read-write' : 'read-only'] } })
      await settled(up, answer)
      return { succeededMs: performance.now() - startedAt, enforcedMs: await enforced }
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}

async function byHand({ socket, port, ca }: { socket: string; port: number; ca: string }) {
  const admin = { username: PLATFORM_USERS.admin, password: adminPassword }
  const server = await connect({ socket: { path: socket }, ...admin, timeoutMs: 2_000 })
  const client = await appClient('127.0.0.1', port, ca)
  return {
    async change(mayWrite: boolean) {
      const startedAt = performance.now()
      const enforced = untilWrites(client, mayWrite).then(() => performance.now() - startedAt)
      await Promise.all([
        server.call(['ACL', 'SETUSER', 'app', mayWrite ? '+set' : '-set']),
        server.call(['ACL', 'SAVE']),
      ])
      return enforced
    },
    async [Symbol.asyncDispose]() {
      await client.close()
      await server.close()
    },
  }
}

const appClient = (host: string, port: number, ca: string) =>
  connect({ socket: { host, port, ca }, username: 'app', password: appPassword, timeoutMs: 5_000 })

/** Writes again and again, on one connection, until it may or may no more. */
async function untilWrites(client: ValkeyConnection, may: boolean): Promise<void> {
  for (;;) {
    const written = await client.call(['SET', 'bench', '1']).then(
      () => true,
      () => false,
    )
    if (written === may) return
    await delay(pollMs)
  }
}
