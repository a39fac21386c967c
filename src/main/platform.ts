/** The platform as a process: what it needs around its rooms, its start, its end, and what it leaves for the CLI to find. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { makeApi } from '../api/api.ts'
import { defaultLimits } from '../api/deps.ts'
import { processStartTime } from '../cli/process-identity.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { compose, type Platform } from './compose.ts'
import { makePrivateDir, writePrivateFile } from './private-file.ts'
import type { Settings } from './setting-table.ts'
import { version } from './version.ts'

export type Running = {
  platform: Platform
  /** Base of the API, without a slash at its end. */
  url: string
  /** Content of admin.key: the first admin's API key. */
  adminKey: () => string
  /** Ends the platform, not the instances. */
  close(): Promise<void>
}

export type PlatformIo = {
  /** PATH, where valkey-server is looked for. */
  path: string
  log: Logger
}

const files = (home: string) => ({
  store: join(home, 'valkeep.db'),
  adminKey: join(home, 'admin.key'),
  platform: join(home, 'platform.json'),
})

/**
 * Starts the platform and resolves once its API listens.
 * @throws StoreInUse where another platform has the data directory, StepError without a Valkey, VaultError, listen errors
 */
export async function startPlatform(settings: Settings, io: PlatformIo): Promise<Running> {
  makePrivateDir(settings.home)
  const place = files(settings.home)
  const store = await openSqliteStore({ path: place.store, create: true })
  const undo: (() => Promise<void>)[] = [() => store.close()]
  try {
    const platform = await compose(settings, store, io.log, io.path, (key) =>
      writePrivateFile(place.adminKey, `${key}\n`),
    )
    undo.unshift(() => platform.stop())
    const api = await makeApi({
      store,
      control: platform.control,
      driver: platform.driver,
      agent: platform.agent,
      now: () => new Date().toISOString(),
      notReady: () => [],
      log: io.log,
      version,
      https: certificateOf(settings),
      limits: { ...defaultLimits, requestsPerMinute: settings.rateLimitPerS * 60 },
    })
    undo.unshift(() => api.close())
    const url = await api.listen({ host: settings.host, port: settings.port })
    writePrivateFile(
      place.platform,
      `${JSON.stringify({ pid: process.pid, start_time: processStartTime(process.pid), url })}\n`,
    )
    undo.unshift(async () => rmSync(place.platform, { force: true }))
    await platform.start()
    return {
      platform,
      url,
      adminKey: () => readFileSync(place.adminKey, 'utf8').trim(),
      close: () => inOrder(undo),
    }
  } catch (error) {
    await inOrder(undo)
    throw error
  }
}

async function inOrder(steps: (() => Promise<void>)[]): Promise<void> {
  for (const step of steps.splice(0)) await step()
}

function certificateOf(settings: Settings): { key: string; cert: string } | null {
  const { tlsCertFile, tlsKeyFile } = settings
  if (tlsCertFile === null || tlsKeyFile === null) return null
  return { key: readFileSync(tlsKeyFile, 'utf8'), cert: readFileSync(tlsCertFile, 'utf8') }
}
