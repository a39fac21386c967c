/**
 * schemathesis reads /openapi.json and looks for answers that break its word: undeclared statuses, bodies that do not
 * fit, bad input that is taken, good input that is refused, keys that are not asked for, 500s. It has to find nothing.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { requirePart } from '../support/parts.ts'
import { startTestPlatform, type TestPlatform } from '../support/platform.ts'

const examples = process.env['VALKEEP_TEST_FULL'] === '1' ? 100 : 15

/** Good by the schema and still refused: what only the platform can know. */
const alsoFine: Record<string, { statuses: number[]; why: string }> = {
  cursors: { statuses: [422], why: 'a cursor is opaque, and only one that was given out is taken' },
  names: { statuses: [422], why: 'ids in a body have to be of something that is there, dates in the future' },
  grammar: { statuses: [422], why: 'ACL rules, patterns and passwords have a grammar of their own' },
}
const byOperation: Record<string, keyof typeof alsoFine> = {
  'GET /valkey-instances': 'cursors',
  'GET /tenants/{tenantID}/valkey-instances': 'cursors',
  'GET /valkey-instances/{instanceID}/users': 'cursors',
  'GET /operations': 'cursors',
  'GET /tenants': 'cursors',
  'GET /shards': 'cursors',
  'GET /nodes': 'cursors',
  'GET /api-keys': 'cursors',
  'POST /api-keys': 'names',
  'POST /shards': 'names',
  'PUT /valkey-instances/{id}/tenant': 'names',
  'PATCH /valkey-instances/{id}': 'names',
  'POST /tenants/{tenantID}/valkey-instances': 'grammar',
  'POST /valkey-instances/{instanceID}/users': 'grammar',
  'PUT /valkey-users/{id}': 'grammar',
}

/**
 * No Idempotency-Key comes twice: the answer of the first call would be given again, also where what it made has been deleted since, and that
 * counts as a thing that was just created and is not there. Keys that are refused stay as they are.
 */
const freshKeys = `
import itertools, re, schemathesis

calls = itertools.count()

@schemathesis.hook
def before_call(context, case, kwargs):
    key = case.headers.get("Idempotency-Key") if case.headers else None
    if isinstance(key, str) and re.fullmatch(r"[\\x21-\\x7e]{1,240}", key):
        case.headers["Idempotency-Key"] = f"{key}-{next(calls)}"
`

type Made = { id: string; users: { id: string }[] }

/** Real ids, so that requests get past "there is no such thing". */
async function idsOf({ call, tenantId, done }: TestPlatform): Promise<Record<string, string>> {
  const users = [{ username: 'app', privileges: ['read-write'] }]
  const path = `/tenants/${tenantId}/valkey-instances`
  const made = await call<Made>('POST', path, { body: { name: 'neighbour', users } })
  await done(made)
  const first = async (list: string) => String((await call<{ items: { id: string }[] }>('GET', list)).body.items[0]?.id)
  return {
    tenants: tenantId,
    'valkey-instances': made.body.id,
    'valkey-users': String(made.body.users[0]?.id),
    operations: String(made.headers.get('location')).replace('/operations/', ''),
    shards: await first('/shards'),
    nodes: await first('/nodes'),
  }
}

/** `hooks`: a Python module in the directory where the program is run. */
type Phase = { names: string; ids: Record<string, string>; hooks?: string }

/** The key goes into a file of mode 0600: nothing secret in argv. */
function writeConfig(file: string, key: string, of: Phase, operations: string[]): void {
  const base = [200, 201, 202, 204, 401, 403, 404, 409, 412, 503]
  const lines = [
    ...(of.hooks === undefined ? [] : [`hooks = "${of.hooks}"`]),
    '[headers]',
    `Authorization = "Bearer ${key}"`,
    '[checks.positive_data_acceptance]',
    `expected-statuses = ${JSON.stringify(base)}`,
    // A body that is too long is not looked at.
    '[checks.negative_data_rejection]',
    'expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 428, 429, "5xx"]',
  ]
  for (const operation of operations) {
    const [, noun, parameter] = /^\w+ \/([a-z-]+)\/\{(\w+)\}/.exec(operation) ?? []
    // What a test deletes, the others could not use: deletes find what they delete by the stateful tests' links.
    const id = noun === undefined || operation.startsWith('DELETE') ? undefined : of.ids[noun]
    const fine = byOperation[operation]
    const settings: string[] = []
    if (id !== undefined) settings.push(`parameters = { "path.${parameter}" = "${id}" }`)
    if (fine !== undefined) {
      const statuses = [...base, ...(alsoFine[fine]?.statuses ?? [])]
      settings.push(`checks.positive_data_acceptance.expected-statuses = ${JSON.stringify(statuses)}`)
    }
    if (settings.length > 0) lines.push('[[operations]]', `include-name = "${operation}"`, ...settings)
  }
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
}

function run(program: string, args: string[], cwd: string): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        text += chunk
      })
    }
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}

test('schemathesis finds nothing', async (t) => {
  const program = requirePart(t, 'schemathesis')
  if (program === undefined) return
  const platform = await startTestPlatform({ rateLimitPerS: 100_000, capacityMb: 2_000 })
  const dir = mkdtempSync(join(tmpdir(), 'schemathesis-'))
  t.after(async () => {
    rmSync(dir, { recursive: true, force: true })
    await platform.close()
  })
  writeFileSync(join(dir, 'fresh_keys.py'), freshKeys)
  const { body } = await platform.call<{ paths: Record<string, object> }>('GET', '/openapi.json')
  const operations = Object.entries(body.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const seed = process.env['VALKEEP_TEST_SEED'] ?? String(Date.now() % 2 ** 31)
  t.diagnostic(`seed ${seed}, ${examples} examples`)
  const options = ['--checks', 'all', '-n', String(examples), '--seed', seed, '--no-color', '--continue-on-failure']
  // Ids in the configuration would replace those that the stateful tests follow from answer to answer.
  const phases: Phase[] = [
    { names: 'examples,coverage,fuzzing', ids: await idsOf(platform) },
    { names: 'stateful', ids: {}, hooks: 'fresh_keys' },
  ]
  for (const phase of phases) {
    const config = join(dir, 'schemathesis.toml')
    writeConfig(config, platform.running.adminKey(), phase, operations)
    const args = ['--config-file', config, 'run', `${platform.url}/openapi.json`, '--phases', phase.names, ...options]
    const { code, text } = await run(program, args, dir)
    assert.equal(code, 0, text)
  }
})
