import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { platformUsers, tenantAclUser } from '../acl/tenant-user.ts'
import { managedConf } from '../conf/managed.ts'
import { serverLayout } from '../server-plan.ts'
import { plan } from './plan.ts'
import type { InstanceSpec, LiveObservation, ServerObservation, ServerSpec } from './spec.ts'
import type { Plan, Step } from './step.ts'

const id = `srv_${'0'.repeat(32)}`
const listen = { host: '127.0.0.1', port: 21_000 }
const digest = (digit: string) => digit.repeat(64)
const fingerprint = digest('f')

const conf = (maxMemoryMb: number, settings = {}) =>
  managedConf({ layout: serverLayout('/s', '/r', id), listen, maxMemoryMb, settings, version: '8.0.1' })

const tenantUser = (username: string, privileges: string[]) =>
  tenantAclUser({
    username,
    passwordSha256s: [digest('a')],
    privileges,
    keyPattern: '~app:*',
    channelPattern: null,
  })

const acl = [
  ...platformUsers({ adminSha256: digest('1'), replicationSha256: digest('2'), monitorSha256: digest('3') }),
  tenantUser('app', ['+@read']),
]

const server: ServerSpec = {
  handle: { id, adminRef: 'sec_1' },
  nodeId: 'nod_1',
  ignoreUsers: [],
  plan: {
    id,
    conf: conf(64),
    acl,
    tls: { certPem: 'cert', caPem: 'ca', keyRef: 'sec_2', fingerprint },
    engine: { version: '8.0.1', binary: '/bin/valkey-server' },
    listen,
    limits: { memoryMb: 64 },
  },
}

const spec = (over: Partial<InstanceSpec> = {}): InstanceSpec => ({
  instanceId: 'ins_1',
  desired: 'running',
  everActive: true,
  accept: { data: null },
  servers: [server],
  ...over,
})

const nothing: ServerObservation = {
  files: null,
  data: { kind: 'empty' },
  process: null,
  port: 'free',
  live: null,
  silent: null,
  binaryVersion: '8.0.1',
}

const asConfig = (directives: typeof server.plan.conf) =>
  Object.fromEntries(directives.map(({ name, args }) => [name, args.join(' ')]))

const healthyFiles = {
  conf: server.plan.conf,
  acl,
  certFingerprint: fingerprint,
  keyFits: true,
  caPem: 'ca',
  tooOpen: [],
}

const healthyLive: LiveObservation = {
  version: '8.0.1',
  runId: 'r1',
  processId: 10,
  configFile: '/s/valkey.conf',
  loading: false,
  aofRewriting: false,
  persistenceError: null,
  config: asConfig(server.plan.conf),
  acl,
  tls: { fingerprint, runId: 'r1' },
}

const healthy: ServerObservation = {
  files: healthyFiles,
  data: { kind: 'aof', writtenBy: '8.0.1' },
  process: { pid: 10, frozen: false },
  port: 'ours',
  live: healthyLive,
  silent: null,
  binaryVersion: '8.0.1',
}

const observed = (seen: ServerObservation) => ({ servers: { [id]: seen } })
const kinds = (next: Plan) => (next.state === 'steps' ? next.steps.map((step) => step.kind) : next.state)
const causeOf = (next: Plan) => (next.state === 'blocked' ? next.cause.code : next.state)

/** What a step does to a server, as an agent would do it: the smallest world in which plans can be followed to their end. */
function apply(seen: ServerObservation, step: Step): ServerObservation {
  const files = seen.files ?? { conf: null, acl: null, certFingerprint: null, keyFits: false, caPem: null, tooOpen: [] }
  switch (step.kind) {
    case 'write-files': {
      const wants = (part: (typeof step.parts)[number]) => step.parts.includes(part)
      return {
        ...seen,
        files: {
          conf: wants('conf') ? step.plan.conf : files.conf,
          acl: wants('acl') ? step.plan.acl : files.acl,
          certFingerprint: wants('tls') ? step.plan.tls.fingerprint : files.certFingerprint,
          keyFits: wants('tls') || files.keyFits,
          caPem: wants('tls') ? step.plan.tls.caPem : files.caPem,
          tooOpen: wants('modes') ? [] : files.tooOpen,
        },
      }
    }
    case 'start': {
      const running = asConfig(files.conf ?? [])
      const live: LiveObservation = {
        ...healthyLive,
        config: { ...running, appendonly: step.appendonly },
        acl: files.acl ?? [],
        tls: { fingerprint: files.certFingerprint ?? '', runId: 'r1' },
      }
      const data = step.appendonly === 'yes' ? { kind: 'aof' as const, writtenBy: null } : seen.data
      return { ...seen, data, process: { pid: 10, frozen: false }, port: 'ours', live }
    }
    case 'configure': {
      if (!seen.live) return seen
      const config = { ...seen.live.config, ...asConfig(step.directives) }
      const reread = step.directives.some((directive) => directive.name === 'tls-cert-file')
      const tls = reread ? { fingerprint: files.certFingerprint ?? '', runId: 'r1' } : seen.live.tls
      const data = config['appendonly'] === 'yes' ? { kind: 'aof' as const, writtenBy: null } : seen.data
      return { ...seen, data, live: { ...seen.live, config, tls } }
    }
    case 'set-users': {
      if (!seen.live) return seen
      const gone = new Set([...step.remove, ...step.users.map((user) => user.name)])
      const users = [...seen.live.acl.filter((user) => !gone.has(user.name)), ...step.users]
      return { ...seen, files: { ...files, acl: users }, live: { ...seen.live, acl: users } }
    }
    case 'stop':
      return { ...seen, process: null, live: null, port: 'free' }
    case 'remove':
      return nothing
  }
}

const drifted = fc.record({
  conf: fc.constantFrom(server.plan.conf, conf(32), conf(64, { databases: 20 }), null),
  acl: fc.constantFrom(acl, [...acl, tenantUser('ghost', ['+@all'])], acl.slice(0, 4), null),
  certFingerprint: fc.constantFrom(fingerprint, digest('0'), null),
  keyFits: fc.boolean(),
  caPem: fc.constantFrom('ca', 'old', null),
  tooOpen: fc.constantFrom<string[]>([], ['/s/valkey.conf']),
})

const liveArbitrary: fc.Arbitrary<LiveObservation> = fc.record({
  version: fc.constant('8.0.1'),
  runId: fc.constant('r1'),
  processId: fc.constantFrom(10, 11),
  configFile: fc.constant('/s/valkey.conf'),
  loading: fc.boolean(),
  aofRewriting: fc.boolean(),
  persistenceError: fc.constantFrom(null, 'disk full'),
  config: fc.constantFrom(conf(64), conf(32), conf(64, { databases: 20 })).map(asConfig),
  acl: fc.constantFrom(acl, [...acl, tenantUser('ghost', ['+@all'])], [tenantUser('app', ['+@all'])]),
  tls: fc.constantFrom({ fingerprint, runId: 'r1' }, { fingerprint: digest('0'), runId: 'r1' }, { error: 'refused' }),
})

const observation: fc.Arbitrary<ServerObservation> = fc
  .record({
    files: fc.option(drifted),
    data: fc.constantFrom<ServerObservation['data']>(
      { kind: 'empty' },
      { kind: 'aof', writtenBy: '8.0.1' },
      { kind: 'rdb-only', writtenBy: '8.0.1' },
      { kind: 'unsafe', reason: 'the manifest is gone' },
    ),
    process: fc.option(fc.record({ pid: fc.constant(10), frozen: fc.boolean() })),
    port: fc.constantFrom('free' as const, 'ours' as const, 'stranger' as const),
    live: fc.option(liveArbitrary),
    silent: fc.constantFrom(null, 'no answer'),
    binaryVersion: fc.constantFrom('8.0.1', '8.0.4', '9.1.2', null),
  })
  .map((seen) => (seen.process ? seen : { ...seen, live: null }))

const specs = fc.record({
  instanceId: fc.constant('ins_1'),
  desired: fc.constantFrom('running' as const, 'stopped' as const, 'absent' as const),
  everActive: fc.boolean(),
  accept: fc.record({ data: fc.constantFrom(null, 'rdb' as const, 'empty' as const) }),
  servers: fc.constant<ServerSpec[]>([server]),
})

const runs = { numRuns: 1_000 }

describe('plan', () => {
  it('makes a server from nothing in one go', () => {
    assert.deepEqual(kinds(plan(spec({ everActive: false }), observed(nothing))), ['write-files', 'start'])
  })

  it('is empty for what serves', () => {
    assert.equal(plan(spec(), observed(healthy)).state, 'converged')
  })

  it('follows every state to its end or says why it cannot', () => {
    fc.assert(
      fc.property(specs, observation, (desired, first) => {
        let seen = first
        for (let round = 0; round < 8; round++) {
          const next = plan(desired, observed(seen))
          if (next.state === 'converged') return
          if (next.state === 'blocked') {
            assert.ok(next.cause.code && next.cause.message)
            return
          }
          assert.ok(next.steps.length > 0)
          seen = next.steps.reduce(apply, seen)
        }
        assert.fail('no end after 8 rounds')
      }),
      runs,
    )
  })

  it('never starts on data that a start would lose, beside a stranger, or with another engine', () => {
    fc.assert(
      fc.property(specs, observation, (desired, seen) => {
        const next = plan(desired, observed(seen))
        if (next.state !== 'steps') return
        const start = next.steps.find((step) => step.kind === 'start')
        if (!start) return
        assert.equal(desired.desired, 'running')
        assert.equal(seen.process, null, 'one process a server')
        assert.notEqual(seen.data.kind, 'unsafe')
        assert.notEqual(seen.port, 'stranger')
        assert.ok(seen.binaryVersion?.startsWith('8.0.'))
        assert.equal(start.appendonly, seen.data.kind === 'rdb-only' ? 'no' : 'yes')
        if (desired.everActive && seen.data.kind === 'empty') assert.equal(desired.accept.data, 'empty')
        if (desired.everActive && seen.data.kind === 'rdb-only') assert.equal(desired.accept.data, 'rdb')
      }),
      runs,
    )
  })

  it('removes only what is to be absent', () => {
    fc.assert(
      fc.property(specs, observation, (desired, seen) => {
        const next = plan(desired, observed(seen))
        if (next.state !== 'steps') return
        if (next.steps.some((step) => step.kind === 'remove')) assert.equal(desired.desired, 'absent')
      }),
      runs,
    )
  })

  it('stops a server only to keep it stopped or for what changes by a restart', () => {
    fc.assert(
      fc.property(specs, observation, (desired, seen) => {
        const next = plan(desired, observed(seen))
        if (next.state !== 'steps' || !next.steps.some((step) => step.kind === 'stop')) return
        assert.ok(desired.desired === 'stopped' || seen.live?.config['databases'] === '20')
      }),
      runs,
    )
  })

  it('answers the same for the same facts', () => {
    fc.assert(
      fc.property(specs, observation, (desired, seen) => {
        const again = structuredClone({ desired, seen })
        assert.deepEqual(plan(desired, observed(seen)), plan(again.desired, observed(again.seen)))
      }),
      runs,
    )
  })
})

describe('plan of a running server', () => {
  const withLive = (over: Partial<LiveObservation>) => observed({ ...healthy, live: { ...healthyLive, ...over } })

  it('changes memory live, and only that', () => {
    const wanted = { ...server, plan: { ...server.plan, conf: conf(128) } }
    const next = plan(spec({ servers: [wanted] }), observed(healthy))
    assert.deepEqual(kinds(next), ['write-files', 'configure'])
  })

  it('restarts for databases, with the file written first', () => {
    const wanted = { ...server, plan: { ...server.plan, conf: conf(64, { databases: 32 }) } }
    assert.deepEqual(kinds(plan(spec({ servers: [wanted] }), observed(healthy))), ['write-files', 'stop'])
  })

  it('reloads a certificate that is on disk and not served', () => {
    const next = plan(spec(), withLive({ tls: { fingerprint: digest('0'), runId: 'r1' } }))
    assert.deepEqual(kinds(next), ['configure'])
  })

  it('takes a user away that nobody asked for, and leaves a failed one alone', () => {
    const ghost = tenantUser('ghost', ['+@all'])
    const next = plan(spec(), withLive({ acl: [...acl, ghost] }))
    assert.ok(next.state === 'steps' && next.steps[0]?.kind === 'set-users')
    assert.deepEqual(next.steps[0].remove, ['ghost'])
    const ignoring = { ...server, ignoreUsers: ['ghost'] }
    const files = { ...healthyFiles, acl: [...acl, ghost] }
    const seen = observed({ ...healthy, files, live: { ...healthyLive, acl: [...acl, ghost] } })
    assert.equal(plan(spec({ servers: [ignoring] }), seen).state, 'converged')
  })

  it('waits where it cannot judge: frozen, silent, loading', () => {
    const frozen = observed({ ...healthy, process: { pid: 10, frozen: true } })
    assert.equal(causeOf(plan(spec(), frozen)), 'frozen')
    assert.equal(causeOf(plan(spec(), observed({ ...healthy, live: null, silent: 'no answer' }))), 'silent')
    assert.equal(causeOf(plan(spec(), withLive({ loading: true }))), 'loading')
    assert.equal(causeOf(plan(spec(), withLive({ tls: { error: 'refused' } }))), 'tls-unreachable')
  })

  it('trusts nobody else on its socket', () => {
    assert.equal(causeOf(plan(spec(), withLive({ processId: 11 }))), 'stranger-on-socket')
  })

  it('waits for the first append-only file after a start from a snapshot', () => {
    const loaded = { ...healthy, data: { kind: 'rdb-only' as const, writtenBy: null } }
    const off = { ...loaded, live: { ...healthyLive, config: { ...healthyLive.config, appendonly: 'no' } } }
    assert.deepEqual(kinds(plan(spec(), observed(off))), ['configure'])
    assert.equal(causeOf(plan(spec(), observed(loaded))), 'aof-rewrite')
  })
})

describe('plan of a start', () => {
  const stopped = { ...healthy, process: null, live: null, port: 'free' as const }

  it('refuses data that is gone until a person accepts it', () => {
    const empty = observed({ ...stopped, data: { kind: 'empty' } })
    assert.equal(causeOf(plan(spec(), empty)), 'data-gone')
    assert.deepEqual(kinds(plan(spec({ accept: { data: 'empty' } }), empty)), ['start'])
    const snapshot = observed({ ...stopped, data: { kind: 'rdb-only', writtenBy: null } })
    assert.equal(causeOf(plan(spec(), snapshot)), 'data-aof-gone')
    assert.equal(causeOf(plan(spec({ accept: { data: 'empty' } }), snapshot)), 'data-aof-gone')
    assert.deepEqual(kinds(plan(spec({ accept: { data: 'rdb' } }), snapshot)), ['start'])
  })

  it('leaves a stranger on its port alone', () => {
    assert.equal(causeOf(plan(spec(), observed({ ...stopped, port: 'stranger' }))), 'port-taken')
  })

  it('does not move to another engine silently', () => {
    assert.equal(causeOf(plan(spec(), observed({ ...stopped, binaryVersion: '9.1.2' }))), 'engine-changed')
    assert.equal(causeOf(plan(spec(), observed({ ...stopped, binaryVersion: null }))), 'engine-missing')
    assert.deepEqual(kinds(plan(spec(), observed({ ...stopped, binaryVersion: '8.0.9' }))), ['start'])
  })
})

describe('plan of an end', () => {
  it('stops, and stays stopped', () => {
    const stopping = spec({ desired: 'stopped' })
    assert.deepEqual(kinds(plan(stopping, observed(healthy))), ['stop'])
    const stopped = { ...healthy, process: null, live: null, port: 'free' as const }
    assert.equal(plan(stopping, observed(stopped)).state, 'converged')
  })

  it('removes everything, and nothing twice', () => {
    const leaving = spec({ desired: 'absent' })
    assert.deepEqual(kinds(plan(leaving, observed(healthy))), ['remove'])
    assert.equal(plan(leaving, observed(nothing)).state, 'converged')
  })
})
