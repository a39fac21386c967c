/**
 * PATCH of each setting on a served instance of every supported line: one that says it changes live does so in the same
 * process and under open connections, one that says it changes by a restart does so by one restart that loses no key.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { engineAtLeast } from '../../src/domain/conf/engine-version.ts'
import { type InstanceSettings, type SettingName, settingNames, settings } from '../../src/domain/conf/settings.ts'
import { connectAsAdmin } from '../support/admin-connection.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'

type View = {
  id: string
  settings: Record<string, unknown>
  generation: number
  code?: string
  errors?: { pointer: string; code: string }[]
}

/** Values that no rule finds, as the server shows them. */
const byHand: InstanceSettings = {
  save: [{ after_s: 1000, changes: 7 }],
  notify_keyspace_events: 'AKE',
  list_max_listpack_size: 64,
  maxclients: 500,
  // With a second, the connection that this test holds open would be closed.
  timeout_s: 900,
}

/** A value other than the setting's fallback. */
function another(name: SettingName): unknown {
  const { schema, fallback } = settings[name]
  if (byHand[name] !== undefined) return byHand[name]
  if (schema instanceof z.ZodNumber)
    return Number(fallback) === schema.maxValue ? Number(fallback) - 1 : Number(fallback) + 1
  if (schema instanceof z.ZodBoolean) return !fallback
  if (schema instanceof z.ZodEnum) return schema.options.find((word) => word !== fallback)
  return assert.fail(`no other value for ${name}`)
}

const shown = (name: SettingName, value: unknown) =>
  (settings[name].toArgs as (value: unknown) => string[])(value).join(' ')

for (const { version, path: binary } of valkeyBinaries()) {
  describe(`settings on valkey ${version}`, () => {
    let platform: TestPlatform
    let path: string
    let instanceId: string
    const known = settingNames.filter((name) => engineAtLeast(`${version}.0`, settings[name].since))

    before(async () => {
      platform = await startTestPlatform({ valkeyServer: binary })
      const body = { name: 'a', max_memory_mb: 16 }
      const made = await platform.call<View>('POST', `/tenants/${platform.tenantId}/valkey-instances`, { body })
      await platform.done(made)
      instanceId = made.body.id
      path = `/valkey-instances/${instanceId}`
    })
    after(() => platform.close())

    const patch = async (given: Record<string, unknown>) => {
      const answer = await platform.call<View>('PATCH', path, { body: { settings: given } })
      assert.equal(answer.status, 202, answer.text)
      await platform.done(answer)
    }

    const seen = async (name: SettingName) => {
      await using admin = await connectAsAdmin(platform, instanceId)
      const { directive } = settings[name]
      const value = (await admin.call(['CONFIG', 'GET', directive])) as Record<string, string>
      const runId = /run_id:(\S+)/.exec(String(await admin.call(['INFO', 'server'])))?.[1]
      return { value: value[directive], runId, keys: await admin.call(['DBSIZE']) }
    }

    test('each live setting changes in the same process, and goes back', async () => {
      await using open = await connectAsAdmin(platform, instanceId)
      const id = await open.call(['CLIENT', 'ID'])
      for (const name of known.filter((each) => settings[each].change === 'live')) {
        const before = await seen(name)
        const value = another(name)
        assert.notEqual(before.value, shown(name, value), name)
        await patch({ [name]: value })
        assert.deepEqual(await seen(name), { ...before, value: shown(name, value) }, name)
      }
      const { fallback } = settings.maxmemory_policy
      await patch({ maxmemory_policy: fallback })
      assert.equal((await seen('maxmemory_policy')).value, fallback)
      assert.equal(await open.call(['CLIENT', 'ID']), id, 'no connection was dropped')
      const { body } = await platform.call<View>('GET', path)
      assert.deepEqual(
        Object.keys(body.settings).sort(),
        known.filter((each) => settings[each].change === 'live').sort(),
      )
    })

    test('each restart setting changes by a restart that loses no key', async () => {
      {
        await using admin = await connectAsAdmin(platform, instanceId)
        for (let i = 0; i < 100; i++) await admin.call(['SET', `key:${i}`, String(i)])
      }
      const restarting = known.filter((each) => settings[each].change === 'restart')
      assert.ok(restarting.length > 0)
      for (const name of restarting) {
        const before = await seen(name)
        const value = another(name)
        await patch({ [name]: value })
        const now = await seen(name)
        assert.equal(now.value, shown(name, value), name)
        assert.notEqual(now.runId, before.runId, name)
        assert.equal(now.keys, 100, name)
      }
      await using admin = await connectAsAdmin(platform, instanceId)
      assert.equal(await admin.call(['GET', 'key:77']), '77')
    })

    test('what the engine is too old for, and what would lose keys, is refused and changes nothing', async () => {
      const before = (await platform.call<View>('GET', path)).body
      const tooNew = settingNames.filter((name) => !known.includes(name))
      assert.equal(tooNew.length > 0, version === '8.0')
      for (const [name, value, code] of [
        ...tooNew.map((each) => [each, another(each), 'too_new'] as const),
        ['databases', 16, 'would_lose_data'] as const,
      ]) {
        const answer = await platform.call<View>('PATCH', path, { body: { settings: { [name]: value, hz: 20 } } })
        assert.equal(answer.status, 422, answer.text)
        assert.deepEqual(
          answer.body.errors?.map((error) => [error.pointer, error.code]),
          [[`/settings/${name}`, code]],
        )
      }
      assert.deepEqual((await platform.call<View>('GET', path)).body, before)
    })

    test('nothing of it looked like drift', async () => {
      const { body } = await platform.call<{ items: { kind: string; status: string }[] }>(
        'GET',
        '/operations?limit=200',
      )
      assert.deepEqual([...new Set(body.items.map(({ kind, status }) => `${kind} ${status}`))].sort(), [
        'create succeeded',
        'update succeeded',
      ])
    })
  })
}
