/** The physical limit: the same server from the same files, started by hand. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { connect } from 'node:tls'
import { findEngine } from '../../src/agent/engine.ts'
import { renderAclFile } from '../../src/domain/acl/render.ts'
import { PLATFORM_USERS } from '../../src/domain/acl/tenant-user.ts'
import { renderConf } from '../../src/domain/conf/render.ts'
import { serverLayout } from '../../src/domain/server-plan.ts'
import { adminPassword, makePlans, tenantUser } from '../../test/support/plan.ts'
import { appPassword } from './instances.ts'

export type RawServer = {
  /** Writes the files, spawns, and resolves at an authenticated PONG over TLS. @returns how long it took */
  start(): Promise<number>
  socket: string
  port: number
  ca: string
  stop(): Promise<void>
}

export type RawServers = {
  /** Renders everything beforehand: only `start` is measured. */
  prepare(): Promise<RawServer>
  /** Ends what still runs, and removes all files. */
  remove(): Promise<void>
}

export async function makeRawServers(): Promise<RawServers> {
  const dir = mkdtempSync('/tmp/vkr-')
  const engine = await findEngine({ valkeyServer: process.env.VALKEY_SERVER, path: process.env.PATH ?? '' })
  const layoutOf = (id: string) => serverLayout(`${dir}/servers`, `${dir}/run`, id)
  mkdirSync(`${dir}/run`, { mode: 0o700 })
  const plans = await makePlans(engine, layoutOf)
  const servers: RawServer[] = []
  const users = [tenantUser('app', appPassword, ['+@all', '-@dangerous'])]
  return {
    async prepare() {
      const { plan, key } = await plans.make({ users })
      const place = layoutOf(plan.id)
      const texts: [path: string, text: string][] = [
        [place.conf, renderConf(plan.conf)],
        [place.acl, renderAclFile(plan.acl)],
        [place.cert, plan.tls.certPem],
        [place.key, key],
        [place.ca, plan.tls.caPem],
      ]
      let child: ChildProcess | undefined
      const server: RawServer = {
        socket: place.socket,
        port: plan.listen.port,
        ca: plan.tls.caPem,
        async start() {
          const startedAt = performance.now()
          for (const path of [place.dataDir, dirname(place.acl), place.tlsDir])
            mkdirSync(path, { recursive: true, mode: 0o700 })
          for (const [path, text] of texts) writeFileSync(path, text, { mode: 0o600 })
          child = spawn(engine.binary, [place.conf], {
            cwd: place.dataDir,
            stdio: ['ignore', 'pipe', 'ignore'],
            env: {},
          })
          await saysReady(child)
          await pong(plan.listen, plan.tls.caPem)
          return performance.now() - startedAt
        },
        async stop() {
          if (!child || child.exitCode !== null || child.signalCode !== null) return
          const exit = new Promise((resolve) => child?.once('exit', resolve))
          child.kill('SIGKILL')
          await exit
        },
      }
      servers.push(server)
      return server
    },
    async remove() {
      await Promise.all(servers.map((server) => server.stop()))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Its own word that it listens everywhere: an event, where tries to connect would be load. */
function saysReady(child: ChildProcess): Promise<void> {
  let log = ''
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`valkey-server ended (${code}): ${log}`)))
    child.once('error', reject)
    child.stdout?.on('data', (chunk) => {
      log += String(chunk)
      if (/Ready to accept connections tls/.test(log)) resolve()
    })
  })
}

function pong({ host, port }: { host: string; port: number }, ca: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ca }, () =>
      socket.write(`AUTH ${PLATFORM_USERS.admin} ${adminPassword}\r\nPING\r\n`),
    )
    let text = ''
    socket.once('error', reject)
    socket.on('data', (chunk) => {
      text += String(chunk)
      if (/\+PONG\r\n/.test(text)) resolve()
      else if (text.startsWith('-')) reject(new Error(text))
      else return
      socket.destroy()
    })
  })
}
