/** Wires the rooms of the platform together: embedded store, local driver, in-process agent, process runtime. */
import type { Logger } from 'pino'
import { findEngine } from '../agent/engine.ts'
import { makeLocalAgent } from '../agent/local-agent.ts'
import type { ControlDeps } from '../control/deps.ts'
import { type LocalDriver, makeLocalDriver } from '../control/driver/local.ts'
import { makeHealthKeeper } from '../control/health.ts'
import {
  createInstallation,
  type InstallationDeps,
  isNew,
  type LocalNode,
  loadAuthorities,
  syncLocalNode,
} from '../control/installation.ts'
import { makeSessionEnds, type SessionEnds } from '../control/sessions.ts'
import type { SpecDeps } from '../control/spec.ts'
import { makeStrays } from '../control/stray.ts'
import { makeSweep, type Sweep } from '../control/sweep.ts'
import type { NodeAgent } from '../domain/ports/node-agent.ts'
import type { Vault } from '../domain/ports/vault.ts'
import { makeProcessRuntime } from '../runtime/process/runtime.ts'
import { findSecrets } from '../store/secrets.ts'
import type { Store } from '../store/store.ts'
import type { Issuer } from '../vault/authority.ts'
import { fileKeyProvider } from '../vault/key-provider.ts'
import { randomApiKey, randomPassword } from '../vault/random.ts'
import { makeVault } from '../vault/vault.ts'
import { newId } from './ids.ts'
import type { Settings } from './setting-table.ts'

export type Platform = {
  store: Store
  control: ControlDeps
  driver: LocalDriver
  agent: (nodeId: string) => NodeAgent | undefined
  sessions: SessionEnds
  /** Every authority that clients have to trust. */
  caPem: () => string
  /** This start made the installation. */
  first: boolean
  /** Begins to work: what was open goes on, what died is brought back. */
  start(): Promise<void>
  /** Ends the platform's work; instances run on. */
  stop(): Promise<void>
}

const now = () => new Date().toISOString()

/**
 * @param keepAdminKey called at the very first start with the admin's API key
 * @param path PATH of the process, where valkey-server is looked for
 */
export async function compose(
  settings: Settings,
  store: Store,
  log: Logger,
  path: string,
  keepAdminKey: (key: string) => void,
): Promise<Platform> {
  const first = await isNew(store)
  const vault = makeVault(fileKeyProvider({ path: settings.kekFile, create: first }))
  const installation: InstallationDeps = { store, vault, newId, now }
  const local: LocalNode = {
    address: settings.nodeAddress,
    capacityMb: settings.capacityMb,
    portMin: settings.portMin,
    portMax: settings.portMax,
  }
  if (first) await createInstallation(installation, local, keepAdminKey)
  const node = await syncLocalNode(installation, local)
  const engine = await findEngine({ valkeyServer: settings.valkeyServer ?? undefined, path })
  const unsealAll = makeUnsealAll(store, vault)
  const agent = makeLocalAgent({
    runtime: makeProcessRuntime({ serversDir: `${settings.home}/servers`, socketsDir: settings.runtimeDir }),
    readSecret: async (ref) => required((await unsealAll([ref])).get(ref), ref),
    engine,
    serversDir: `${settings.home}/servers`,
    socketsDir: settings.runtimeDir,
  })
  const agentOf = (nodeId: string) => (nodeId === node.id ? agent : undefined)
  const control: ControlDeps = {
    vault,
    newId,
    randomPassword,
    randomApiKey,
    overcommit: settings.overcommit,
    engineVersion: (nodeId) => agentOf(nodeId)?.facts.engine.version,
  }
  const authority = await makeAuthority(installation)
  const { driver, health, sweep, sessions } = makeLoops({
    settings,
    store,
    log,
    vault,
    authority,
    unsealAll,
    nodeId: node.id,
    agentOf: (nodeId) => required(agentOf(nodeId), `an agent of ${nodeId}`),
  })
  return {
    store,
    control,
    driver,
    agent: agentOf,
    sessions,
    caPem: () => authority.caPem,
    first,
    async start() {
      await driver.start()
      sweep.start()
      sessions.changed()
    },
    async stop() {
      sweep.stop()
      sessions.stop()
      health.stop()
      await driver.stop()
    },
  }
}

type Loops = {
  settings: Settings
  store: Store
  log: Logger
  vault: Vault
  authority: { caPem: string; issuer: () => Promise<Issuer> }
  unsealAll: SpecDeps['unsealAll']
  nodeId: string
  agentOf: (nodeId: string) => NodeAgent
}

function makeLoops(deps: Loops) {
  const { settings, store, log, agentOf } = deps
  const onError = (error: unknown) => log.error({ err: error }, 'a background task failed')
  const driver = makeLocalDriver({
    store,
    spec: { facts: (nodeId) => agentOf(nodeId).facts, unsealAll: deps.unsealAll, caPem: () => deps.authority.caPem },
    certificates: {
      issuer: deps.authority.issuer,
      vault: deps.vault,
      newId,
      now: () => new Date(),
      days: settings.certificateDays,
    },
    finish: { now, newId, portCooldownMs: settings.portCooldownS * 1_000 },
    agent: agentOf,
    newId,
    now,
    attempts: settings.attempts,
    attemptTimeoutMs: settings.attemptTimeoutMs,
    concurrency: settings.concurrency,
    failpoint: makeFailpoint(settings.failpoint),
    log,
    onLook: (rows, seen) => health.onLook(rows, seen),
    onGone: (rows) => health.onGone(rows),
  })
  const health = makeHealthKeeper({ store, agent: agentOf, driver, onError })
  const sweep: Sweep = makeSweep({
    store,
    driver,
    agent: agentOf,
    nodeIds: [deps.nodeId],
    intervalMs: settings.sweepIntervalS * 1_000,
    onStray: makeStrays({ store, newId, now, agent: agentOf, log }),
    onError,
  })
  const sessions = makeSessionEnds({ store, driver, newId, now, onError })
  return { driver, health, sweep, sessions }
}

/** The bundle at once; the issuer, whose library takes a while to load, when a certificate is due. */
async function makeAuthority(deps: InstallationDeps): Promise<Loops['authority']> {
  const all = await loadAuthorities(deps)
  let issuer: Promise<Issuer> | undefined
  return {
    caPem: all.map((authority) => authority.certPem.trimEnd()).join('\n'),
    issuer: () => {
      issuer ??= import('../vault/authority.ts').then((vault) =>
        vault.makeIssuer(required(all[0], 'a certificate authority')),
      )
      return issuer
    },
  }
}

const makeUnsealAll =
  (store: Store, vault: Vault): SpecDeps['unsealAll'] =>
  async (ids) => {
    const sealed = await store.read((db) => findSecrets(db, ids))
    return new Map([...sealed].map(([id, secret]) => [id, vault.unseal(secret, id).toString()]))
  }

/** For tests of recovery: the platform kills itself the n-th time it gets there (`before:start#2`). */
function makeFailpoint(wanted: string | null): (name: string) => void {
  const [name, count = '1'] = wanted?.split('#') ?? []
  let left = Number(count)
  return (reached) => {
    if (reached !== name) return
    left -= 1
    if (left === 0) process.kill(process.pid, 'SIGKILL')
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`)
  return value
}
