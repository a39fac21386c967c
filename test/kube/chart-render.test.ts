/** What the chart renders of any values: the API server takes it under pod security `restricted`, and it tells no secret. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { parse, parseAllDocuments } from 'yaml'
import { describedValues } from '../../scripts/docs/chart.ts'
import {
  chartDir,
  chartFile,
  helm,
  inPairs,
  type Manifest,
  overrideFiles,
  render,
  requireHelm,
  type Values,
} from '../support/chart.ts'
import { makeKinds } from '../support/chart-kinds.ts'
import { chartSeed, sampleValues, secretMark } from '../support/chart-values.ts'
import { type Kube, requireKube, startKube } from '../support/kube.ts'

const combinations = 500
const run = promisify(execFile)
const password = { auth: { password: 'a-password' } }

/** Of two that are equal one is asked; of Secrets, of which each is another, some. */
function distinct(manifests: readonly Manifest[]): Manifest[] {
  const byText = new Map(manifests.map((manifest) => [JSON.stringify(manifest), manifest]))
  const of = Object.groupBy(byText.values(), ({ kind }) => (kind === 'Secret' ? 'secrets' : 'others'))
  return [...(of.others ?? []), ...(of.secrets ?? []).slice(0, 100)]
}

/** Asks the API server about all of them. @returns what it warned of */
async function dryRun(kube: Kube, manifests: readonly Manifest[]): Promise<string> {
  const file = join(kube.dir, 'manifests.json')
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }))
  const words = ['create', '--dry-run=server', '--namespace', 'strict', '-f', file]
  const [program, args] = kube.command('kubectl', ...words)
  const { stdout, stderr } = await run(program, args, { env: { ...process.env, ...kube.env }, maxBuffer: 64 << 20 })
  assert.equal(stdout.match(/ created \(server dry run\)$/gm)?.length, manifests.length)
  return stderr
}

/** What a pod's admission looks for: its service account and its priority class. */
async function makeAccounts(kube: Kube, manifests: readonly Manifest[]): Promise<void> {
  const names = manifests.filter(({ kind }) => kind === 'ServiceAccount').map(({ metadata }) => metadata.name)
  for (const name of new Set([...names, 'somebody', '123']))
    await kube.kubectl('--namespace', 'strict', 'create', 'serviceaccount', name)
  await kube.kubectl('create', 'priorityclass', '123', '--value=1000')
}

/** Everything secret that these objects hold, as it is and as base64. */
const secretsOf = (manifests: readonly Manifest[]): string[] =>
  manifests
    .filter(({ kind, metadata }) => kind === 'Secret' && !metadata.name.endsWith('-tls'))
    .flatMap(({ data = {} }) => Object.values(data))
    .flatMap((encoded) => [encoded, Buffer.from(encoded, 'base64').toString()])

function assertTellsNoSecret(manifests: readonly Manifest[], values: Values): void {
  const shown = JSON.stringify(manifests.filter(({ kind }) => kind !== 'Secret'))
  for (const secret of [...secretsOf(manifests), secretMark])
    assert.ok(!shown.includes(JSON.stringify(secret).slice(1, -1)), `a secret is shown: ${JSON.stringify(values)}`)
}

async function renderOrTell(values: Values, seed: number): Promise<Manifest[]> {
  const kinds = ['ServiceMonitor', 'PodMonitor', 'PrometheusRule'].map((kind) => `monitoring.coreos.com/v1/${kind}`)
  return render(values, ...kinds.map((kind) => `--api-versions=${kind}`)).catch((error: Error) =>
    assert.fail(`seed ${seed}: ${error.message}\n${JSON.stringify(values)}`),
  )
}

test('every values file and values of every kind', async (t) => {
  if (!requireKube(t)) return
  const seed = chartSeed()
  t.diagnostic(`seed ${seed}`)
  const kube = await startKube({ controlPlaneOnly: true })
  t.after(() => kube.stop())
  await kube.kubectl('create', 'namespace', 'strict')
  const modes = ['enforce', 'warn', 'audit'].map((mode) => `pod-security.kubernetes.io/${mode}=restricted`)
  await kube.kubectl('label', 'namespace', 'strict', ...modes)
  await makeKinds(kube)

  const files = overrideFiles.map((name) => parse(chartFile(name)) as Values)
  assert.equal(files.length, 2)
  const all = [password, ...files, ...sampleValues(seed, combinations)]
  const rendered = await inPairs(all, (values) => renderOrTell(values, seed))
  for (const [index, manifests] of rendered.entries()) assertTellsNoSecret(manifests, all[index] ?? {})
  const asked = distinct(rendered.flat())
  t.diagnostic(`${rendered.length} releases, ${asked.length} distinct objects`)
  await makeAccounts(kube, asked)
  assert.equal(
    await dryRun(
      kube,
      asked.filter(({ kind }) => kind !== 'ServiceAccount'),
    ),
    '',
  )

  // The question is one that can be answered with no.
  const [set] = asked.filter(({ kind }) => kind === 'StatefulSet')
  const rude = structuredClone(set ?? assert.fail())
  const { template } = rude.spec as { template: { spec: Values } }
  template.spec['hostNetwork'] = true
  assert.match(await dryRun(kube, [rude]), /would violate PodSecurity "restricted/)
})

test('helm lint passes with the defaults and with every values file', async (t) => {
  if (!requireHelm(t)) return
  for (const values of [[], ...overrideFiles.map((name) => ['--values', join(chartDir, name)])])
    assert.match(await helm(['lint', '--strict', chartDir, ...values]), /1 chart\(s\) linted, 0 chart\(s\) failed/)
})

test('without a password the three ways to give one are named, whatever the release is called', async (t) => {
  if (!requireHelm(t)) return
  for (const name of ['x', 'test-release'])
    await assert.rejects(
      helm(['template', name, chartDir]),
      /auth\.existingSecret.*, auth\.password, or auth\.autoGenerate: true/,
    )
})

const tls = { enabled: true, clusterEnabled: true, autoGenerated: true }
const user = { name: 'app', rules: '~* +@read', password: 'of-app' }

/** Values over a password, and the sentence that they are refused with. */
const refused: [values: Values, sentence: RegExp][] = [
  [{ auth: { password: 'a', existingSecret: 'b' } }, /exclude each other: remove one/],
  [{ auth: { autoGenerate: true } }, /is for a release without a password: remove it/],
  [{ auth: { enabled: false } }, /auth\.enabled is false: set auth\.enabled: true, or remove/],
  [{ auth: { enabled: false, password: '', users: [user] } }, /auth\.users needs auth\.enabled: true/],
  [{ auth: { users: [{ ...user, name: 'default' }] } }, /the name default is taken.*choose another/],
  [{ auth: { users: [{ ...user, name: 'valkey-system' }] } }, /the name valkey-system is taken/],
  [{ auth: { users: [user, user] } }, /the name app is taken/],
  [{ auth: { users: [{ name: 'app', rules: '+@all' }] } }, /app needs password or existingSecret/],
  [{ auth: { users: [{ ...user, rules: '+@all >hidden' }] } }, /the rules of app hold a password word \(>\)/],
  [{ auth: { users: [{ ...user, rules: '+@all nopass' }] } }, /the rules of app hold a password word \(nopass\)/],
  [{ auth: { users: [{ ...user, rules: '+@all\nuser evil on nopass +@all' }] } }, /rules.*does not match pattern/],
  [{ auth: { password: 'hidden\nlines' } }, /auth\.password is no single line of text/],
  [{ auth: { users: [{ ...user, password: 'hidden\n\n' }] } }, /the password of app in auth\.users is no single line/],
  [{ auth: { password: 12345678 } }, /password.*got number, want string/],
  [{ tls: { enabled: true } }, /tls\.enabled needs a certificate\. Give one of/],
  [{ tls: { ...tls, existingSecret: 'x' } }, /tls\.existingSecret, tls\.autoGenerated exclude each other/],
  [{ tls: { existingSecret: 'x' } }, /no effect without tls\.enabled: true/],
  [{ tls: { clusterEnabled: true } }, /tls\.clusterEnabled needs tls\.enabled: true/],
  [{ tls: { allowPlaintext: true } }, /tls\.allowPlaintext is for a release with tls\.enabled/],
  [{ tls: { authClients: 'yes' } }, /tls\.authClients needs tls\.enabled/],
  [{ tls: { ...tls, clusterEnabled: false } }, /set tls\.clusterEnabled: true, or tls\.allowPlaintext: true/],
  [
    { tls: { enabled: true, clusterEnabled: true, certManager: { enabled: true } } },
    /needs tls\.certManager\.issuerRef\.name/,
  ],
  [{ tls: { ...tls, port: 6379 } }, /valkey\.port and tls\.port are both 6379/],
  [{ metrics: { enabled: true, port: 16379 } }, /metrics\.port and the cluster bus.* are both 16379/],
  [{ cluster: { nodes: 7 } }, /cluster\.nodes \(7\) must be a multiple of cluster\.replicasPerPrimary \+ 1 \(2\)/],
  [{ cluster: { nodes: 4 } }, /a cluster needs 3 primaries: cluster\.nodes must be 6 or more/],
  [{ valkey: { port: 60000 } }, /take valkey\.port and tls\.port of at most 55535/],
  [{ architecture: 'replication', replication: { replicas: 1 } }, /replication\.replicas must be 2 or more/],
  [
    { architecture: 'replication', replication: { sentinel: { quorum: 4 } } },
    /quorum \(4\) is more than there are sentinels \(3\)/,
  ],
  [
    { architecture: 'replication', serviceAccount: { create: false } },
    /the service account patch these pods, and that would be `default`.*set serviceAccount\.create: true/,
  ],
  [
    { architecture: 'standalone', minReplicasToWrite: 1 },
    /minReplicasToWrite \(1\) is more than each primary has replicas \(0\)/,
  ],
  [{ minReplicasToWrite: 2 }, /no write would ever be taken/],
  [{ architecture: 'sentinel' }, /architecture.*must be one of 'cluster', 'replication', 'standalone'/],
  [{ valkey: { maxMemory: '1gb' } }, /valkey\.maxMemory \(1gb\) is more than resources\.limits\.memory \(512Mi\)/],
  [{ valkey: { config: { requirepass: 'x' } } }, /valkey\.config\.requirepass is the chart's/],
  [{ valkey: { config: { Timeout: 1 } } }, /Timeout.*does not match pattern/],
  [{ resources: { limits: { memory: '1.5Gi' } } }, /write it as a whole number/],
  [
    { valkey: { maxMemory: '1gb' }, resources: { limits: { memory: 536_870_912 } } },
    /valkey\.maxMemory \(1gb\) is more than resources\.limits\.memory \(536870912\)/,
  ],
  [{ podLabels: { 'app.kubernetes.io/name': 'a' } }, /podLabels: the key app\.kubernetes\.io\/name is the chart's/],
  [{ podLabels: { 'valkey-cluster/role': 'primary' } }, /podLabels: the key valkey-cluster\/role is the chart's/],
  [{ podAnnotations: { 'checksum/config': 'a' } }, /podAnnotations: the key checksum\/config is the chart's/],
  [
    { metrics: { enabled: true, podMonitor: { labels: { 'helm.sh/chart': 'a' } } } },
    /metrics\.podMonitor\.labels: the key helm\.sh\/chart is the chart's/,
  ],
  [{ metrics: { serviceMonitor: { enabled: true } } }, /metrics\.serviceMonitor\.enabled needs metrics\.enabled: true/],
  [
    { metrics: { enabled: true, serviceMonitor: { enabled: true }, podMonitor: { enabled: true } } },
    /scrape every pod twice: keep one/,
  ],
  [{ networkPolicy: { ingress: { podSelector: { team: 'a' } } } }, /additional properties 'team' not allowed/],
  [{ persistance: {} }, /additional properties 'persistance' not allowed/],
]

describe('what contradicts itself or is unknown is refused with a sentence', () => {
  for (const [values, sentence] of refused)
    test(JSON.stringify(values), async (t) => {
      if (!requireHelm(t)) return
      const dir = mkdtempSync(join(tmpdir(), 'vkchart-'))
      t.after(() => rmSync(dir, { recursive: true }))
      writeFileSync(join(dir, 'values.json'), JSON.stringify(values))
      const over = ['--values', '-', '--values', join(dir, 'values.json')]
      const answer = helm(['template', 'x', chartDir, ...over], password)
      await assert.rejects(answer, (error: Error) => {
        assert.match(error.message, sentence)
        assert.ok(!error.message.includes('hidden'), 'a password is told')
        return true
      })
    })
})

test('what the chart sets itself cannot be set beside it, unless it may be tuned', async (t) => {
  if (!requireHelm(t)) return
  const tunable = [
    'repl-diskless-load',
    'repl-diskless-sync',
    'repl-diskless-sync-delay',
    'shutdown-timeout',
    'tls-protocols',
  ]
  const manifests = await render({ ...password, tls })
  const conf = manifests.find(({ data }) => data?.['valkey.conf'] !== undefined)?.data?.['valkey.conf'] ?? assert.fail()
  const names = conf.split('\n').map((line) => line.split(' ')[0] ?? '')
  const own = names.filter((name) => name !== '' && !tunable.includes(name))
  assert.ok(own.length > 30)
  await inPairs(own, (name) =>
    assert.rejects(render({ ...password, valkey: { config: { [name]: 'x' } } }), /is the chart's/, name),
  )
})

const podOf = (manifests: readonly Manifest[]) =>
  manifests.find(({ kind }) => kind === 'StatefulSet')?.spec?.['template'] as {
    spec: { containers: { name: string; env?: { name: string }[] }[] }
  }

const withUser = (over: Values) => ({ auth: { ...password.auth, users: [{ ...user, ...over }] } })
const rolls: [what: string, before: Values, after: Values, rolls: boolean][] = [
  ['the password of a user', withUser({}), withUser({ password: 'another' }), false],
  ['the rules of a user', withUser({}), withUser({ rules: '~* +@all' }), true],
  ['how many nodes a cluster has', {}, { cluster: { nodes: 8 } }, false],
  [
    'how many replicas a primary has',
    { cluster: { nodes: 12 } },
    { cluster: { nodes: 12, replicasPerPrimary: 2 } },
    false,
  ],
  ['the time of the preStop hook', {}, { lifecycle: { preStop: { delay: 7 } } }, true],
]

describe('servers are rolled where they read at their start what changed, and only there', () => {
  for (const [what, before, after, expected] of rolls)
    test(`${what}: ${expected ? 'rolled' : 'not rolled'}`, async (t) => {
      if (!requireHelm(t)) return
      const [one, other] = await inPairs([before, after], async (over) => podOf(await render({ ...password, ...over })))
      if (expected) assert.notDeepEqual(other, one)
      else assert.deepEqual(other, one)
    })

  test('the rules of the exporter’s user: rolled', async (t) => {
    if (!requireHelm(t)) return
    const dir = mkdtempSync(join(tmpdir(), 'vkchart-'))
    t.after(() => rmSync(dir, { recursive: true }))
    cpSync(chartDir, dir, { recursive: true })
    const file = join(dir, 'templates/_exporter.tpl')
    const checksum = async () =>
      /checksum\/config: .*/.exec(
        await helm(['template', 'x', dir, '--values', '-'], { ...password, metrics: { enabled: true } }),
      )?.[0] ?? assert.fail('no checksum')
    const before = await checksum()
    writeFileSync(file, readFileSync(file, 'utf8').replace('+ping +info', '+ping'))
    assert.notEqual(await checksum(), before)
  })
})

test('the preStop hook’s settings stand at the server alone', async (t) => {
  if (!requireHelm(t)) return
  const manifests = await render({ ...password, architecture: 'replication' })
  const told = podOf(manifests).spec.containers.filter(({ env = [] }) =>
    env.some(({ name }) => name.startsWith('PRESTOP_')),
  )
  assert.deepEqual(
    told.map(({ name }) => name),
    ['valkey'],
  )
  const others = manifests.filter(({ kind }) => kind === 'Pod')
  assert.equal(others.length, 1)
  assert.ok(!JSON.stringify(others).includes('PRESTOP_'))
})

/** Everything that may be named freely, by a name that is like this one. */
const named = (name: string): Values => ({
  nameOverride: name,
  auth: {
    existingSecret: name,
    existingSystemSecret: name,
    users: [
      { name: '1e3', rules: '~*', existingSecret: name },
      { name: '2e3', rules: '~*', password: 'of-app' },
    ],
  },
  tls: { enabled: true, clusterEnabled: true, existingSecret: name },
  metrics: { enabled: true, existingSecret: name, podMonitor: { enabled: true }, prometheusRule: { enabled: true } },
  persistence: { storageClass: name },
  priorityClassName: name,
  serviceAccount: { name },
  global: { imagePullSecrets: [name] },
  image: { repository: name },
})

describe('a name that is a number is still a text', () => {
  /** All objects with the kind of every value in its place. */
  const kindsOf = async (name: string, over: Values) => {
    const words = ['template', name, chartDir, '--namespace', name, '--values', '-']
    const documents = parseAllDocuments(await helm(words, { ...named(name), ...over }), { version: '1.1' })
    const kind = (_: string, value: unknown) => (typeof value === 'object' && value !== null ? value : typeof value)
    return documents.flatMap((document) => JSON.stringify(document.toJS(), kind, 1).split('\n'))
  }
  for (const architecture of ['cluster', 'replication'])
    test(architecture, async (t) => {
      if (!requireHelm(t)) return
      const expected = await kindsOf('word', { architecture, fullnameOverride: 'word' })
      assert.ok(expected.some((line) => line.includes('"2e3":')))
      for (const [name, fullnameOverride] of [
        ['123', 'true'],
        ['1e3', 'null'],
      ] as const)
        assert.deepEqual(await kindsOf(name, { architecture, fullnameOverride }), expected)
    })
})

type Schema = { description?: string; properties?: Record<string, Schema>; additionalProperties?: unknown }

test('every value is described, in values.yaml and by the same words in the schema', () => {
  const schema = JSON.parse(chartFile('values.schema.json')) as Schema
  const described = new Map(describedValues(chartFile('values.yaml')).map(({ path, about }) => [path, about]))
  const check = (values: Values, at: Schema, path: string[]): void => {
    assert.deepEqual(Object.keys(at.properties ?? {}).sort(), Object.keys(values).sort(), path.join('.'))
    // What a parent chart calls global is not all ours.
    assert.equal(at.additionalProperties, path[0] === 'global' ? undefined : false, path.join('.'))
    for (const [key, value] of Object.entries(values)) {
      const inner = at.properties?.[key] ?? assert.fail([...path, key].join('.'))
      const name = [...path, key].join('.')
      if (described.has(name)) assert.equal(inner.description, described.get(name), name)
      else check(value as Values, inner, [...path, key])
    }
  }
  check(parse(chartFile('values.yaml')) as Values, schema, [])
})

test('the comparison with the official chart tells our defaults as they are', () => {
  const [, table = ''] = readFileSync(join(chartDir, '../../docs/chart-comparison.md'), 'utf8').split('## Defaults')
  const told = table.split('\n').flatMap((row) => {
    const [, path, value] = /^\| [^|]* \| `([\w.]+): ([^`]*)`/.exec(row) ?? []
    return path === undefined ? [] : [[path, String(parse(value ?? ''))]]
  })
  assert.ok(told.length > 10)
  const all = parse(chartFile('values.yaml')) as Values
  for (const [path = '', value] of told) {
    const ours = path.split('.').reduce<unknown>((at, key) => (at as Values)[key], all)
    assert.equal(String(ours), value, path)
  }
})
