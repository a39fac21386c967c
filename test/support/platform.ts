/** The whole platform in this process: embedded store, local driver, real valkey-servers, real HTTP; in a directory of its own. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { type Running, startPlatform } from '../../src/main/platform.ts'
import { loadSettings } from '../../src/main/settings.ts'
import type { Settings } from '../../src/main/setting-table.ts'
import { type CallOptions, type HttpAnswer, makeCaller } from './http.ts'
import { assertNothingLeft } from './left-behind.ts'
import { freePort } from './free-port.ts'

export type TestPlatform = {
  running: Running
  url: string
  home: string
  tenantId: string
  call<T = Record<string, unknown>>(method: string, path: string, options?: CallOptions): Promise<HttpAnswer<T>>
  /** Waits for the operation that an answer names, and asserts that it succeeded. */
  done(answer: { headers: Headers; text: string }): Promise<void>
  /** Deletes every instance, ends the platform, and fails where anything of it is left. */
  close(): Promise<void>
}

function settingsOf(home: string, flags: Record<string, unknown>): Settings {
  const machine = { homeDir: home, cwd: home, uid: process.getuid?.() ?? 0, memoryMb: 4096, env: {} }
  const loaded = loadSettings({ flags: { home, first: false, ...flags }, machine, readConfigFile: () => undefined })
  assert.ok('ok' in loaded, JSON.stringify(loaded))
  return loaded.ok
}

/** @param flags settings by name, over the test's own */
export async function startTestPlatform(flags: Record<string, unknown> = {}): Promise<TestPlatform> {
  const home = mkdtempSync(join(tmpdir(), 'vk-'))
  // Tests run side by side: each begins its range elsewhere, and a port that is taken is probed and passed over.
  const portMin = 15_000 + (process.pid % 80) * 100
  const base = { port: await freePort(), runtimeDir: join(home, 'run'), portMin, portMax: portMin + 99 }
  const settings = settingsOf(home, { ...base, ...flags })
  const running = await startPlatform(settings, { path: process.env['PATH'] ?? '', log: pino({ level: 'silent' }) })
  const call = makeCaller(running.url, running.adminKey())
  const tenants = await call<{ items: { id: string }[] }>('GET', '/tenants')
  const done: TestPlatform['done'] = async ({ headers, text }) => {
    const location = headers.get('location')
    assert.ok(location, text)
    const { body } = await call<{ status: string; cause: unknown }>('GET', `${location}/wait?timeout_s=60`)
    assert.equal(body.status, 'succeeded', JSON.stringify(body.cause))
  }
  return {
    running,
    url: running.url,
    home,
    tenantId: String(tenants.body.items[0]?.id),
    call,
    done,
    async close() {
      const { body } = await call<{ items: { id: string; status: string }[] }>('GET', '/valkey-instances?limit=200')
      await Promise.all(
        body.items.map(async ({ id }) => {
          await call('PATCH', `/valkey-instances/${id}`, { body: { deletion_protection: false } })
          const gone = await call('DELETE', `/valkey-instances/${id}`)
          if (gone.status === 202) await done(gone)
        }),
      )
      await running.close()
      assertNothingLeft(home)
      rmSync(home, { recursive: true, force: true })
    },
  }
}
