/**
 * A program: writes through a real client until SIGTERM, and tells what was promised and what was kept. Its one argument is a {@link Target} in JSON; a
 * line on standard input asks for a report in between. Each report is a line of JSON, a {@link Report}. It runs in a test's Kubernetes network
 * (`kube.command(process.execPath, …)`), where names are asked of the cluster's own DNS.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, Valkey } from 'iovalkey'
import { lookUpAt } from './cluster-dns.ts'

export type Target = {
  /** `cluster`, `sentinel` (then `name` is that of the primary), or `plain`: one host, for example a Service. */
  mode: 'cluster' | 'sentinel' | 'plain'
  /** Where to begin: pods or a Service, for `sentinel` the sentinels. */
  hosts: string[]
  port: number
  /** Address of the DNS server. */
  dns: string
  /** File with the CA in PEM: TLS, also to sentinels. */
  ca?: string
  /** Files with a certificate and its key, shown where one is asked for. */
  cert?: string
  key?: string
  /** `default` where nothing is said. */
  user?: string
  passwordFile?: string
  name?: string
  /** Of the sentinels, where they ask for one. */
  sentinelUser?: string
  sentinelPasswordFile?: string
  /** Writers, each with a key of its own and one write in flight; 12 where nothing is said. */
  lanes?: number
}

export type Report = {
  /** Writes that were acknowledged since the start. */
  acknowledged: number
  /** Those of them that cannot be read back. */
  lost: number
  /** When the first and the last of those were acknowledged, as a pod's log tells time: `HH:MM:SS.mmm`. */
  lostBetween?: [first: string, last: string]
  /** The longest time that one of the keys had no acknowledged write, since the last report. */
  maxSilenceMs: number
  /** Distinct errors since the last report, with how often each came. */
  errors: Record<string, number>
}

/** A write that has no answer after this long is given up, and a key may be read in so long. */
const patienceMs = 1_000

const target = JSON.parse(process.argv[2] ?? '') as Target
lookUpAt(target.dns)

const secret = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8').trim())

const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'))
const { ca, cert, key } = { ca: file(target.ca), cert: file(target.cert), key: file(target.key) }
const tls = ca === undefined ? {} : { tls: { ca, cert, key } }
const options = {
  ...tls,
  username: target.user ?? 'default',
  password: secret(target.passwordFile) ?? '',
  connectTimeout: patienceMs,
  retryStrategy: () => 50,
  // A Service that has turned to another pod: its name is to be asked anew.
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (2 as const) : false),
}

type Client = Pick<Valkey, 'call' | 'callBuffer' | 'disconnect'>

function connect(): Client {
  const nodes = target.hosts.map((host) => ({ host, port: target.port }))
  if (target.mode === 'cluster') {
    const cluster = new Cluster(nodes, {
      redisOptions: options,
      // Names go through to the connections: certificates are made out to them.
      dnsLookup: (host, callback) => callback(null, host),
      clusterRetryStrategy: () => 50,
      retryDelayOnFailover: 50,
      retryDelayOnClusterDown: 50,
      slotsRefreshTimeout: patienceMs,
      slotsRefreshInterval: 500,
    })
    cluster.on('error', () => {})
    return cluster
  }
  const sentinels = {
    sentinels: nodes,
    name: target.name ?? '',
    sentinelUsername: target.sentinelUser,
    sentinelPassword: secret(target.sentinelPasswordFile),
    sentinelRetryStrategy: () => 50,
    ...(target.ca === undefined ? {} : { sentinelTLS: tls.tls, enableTLSForSentinelMode: true }),
  }
  const client = new Valkey({
    ...options,
    commandTimeout: patienceMs,
    ...(target.mode === 'sentinel' ? sentinels : nodes[0]),
  } as object)
  client.on('error', () => {})
  return client
}

const client = connect()
const errors = new Map<string, number>()

/** The client's own deadlines leave a command waiting that it has put aside. */
const bounded = <T>(answer: Promise<T>): Promise<T> => {
  answer.catch(() => {})
  return Promise.race([
    answer,
    delay(patienceMs).then(() => {
      throw new Error('no answer in time')
    }),
  ])
}

type Lane = {
  key: string
  /** The last number tried. */
  tried: number
  /** Numbers whose write was acknowledged. */
  acknowledged: number[]
  /** When, by the clock, in ms. */
  at: number[]
  lastMs: number
  silenceMs: number
}

/** Prefixed by the process: every run has keys of its own. */
const lanes: Lane[] = Array.from({ length: target.lanes ?? 12 }, (_, at) => ({
  key: `writer-${process.pid}-${at}`,
  tried: 0,
  acknowledged: [],
  at: [],
  lastMs: performance.now(),
  silenceMs: 0,
}))

let running = true

/** Bit n is the n-th write: a lost one shows although later ones were kept, and the whole is read at once. */
async function write(lane: Lane): Promise<void> {
  while (running) {
    lane.tried++
    try {
      await bounded(client.call('SETBIT', lane.key, lane.tried, 1))
      lane.acknowledged.push(lane.tried)
      lane.at.push(Date.now())
      const now = performance.now()
      lane.silenceMs = Math.max(lane.silenceMs, now - lane.lastMs)
      lane.lastMs = now
    } catch (error) {
      const text = error instanceof Error ? error.message.replaceAll(/\d+(\.\d+)*(:\d+)?/g, 'N').slice(0, 80) : ''
      errors.set(text, (errors.get(text) ?? 0) + 1)
      await delay(10)
    }
    await delay(10)
  }
}

/** @returns when each write was acknowledged that cannot be read back */
async function lostOf(lane: Lane): Promise<number[]> {
  const promised = [...lane.acknowledged]
  for (let tries = 0; ; tries++) {
    try {
      const bytes = ((await bounded(client.callBuffer('GET', lane.key))) as Buffer | null) ?? Buffer.alloc(0)
      const kept = (n: number) => ((bytes[n >> 3] ?? 0) & (0x80 >> (n & 7))) !== 0
      return promised.flatMap((n, nth) => (kept(n) ? [] : [lane.at[nth] ?? 0]))
    } catch (error) {
      if (tries > 60) throw error
      await delay(500)
    }
  }
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 23)

async function report(): Promise<void> {
  const now = performance.now()
  const silences = lanes.map((lane) => Math.max(lane.silenceMs, now - lane.lastMs))
  const told: Report = { acknowledged: 0, lost: 0, maxSilenceMs: Math.round(Math.max(...silences)), errors: {} }
  told.errors = Object.fromEntries(errors)
  errors.clear()
  for (const lane of lanes) lane.silenceMs = 0
  const lost: number[] = []
  for (const lane of lanes) {
    told.acknowledged += lane.acknowledged.length
    lost.push(...(await lostOf(lane)))
  }
  told.lost = lost.length
  if (lost.length > 0) told.lostBetween = [clock(Math.min(...lost)), clock(Math.max(...lost))]
  process.stdout.write(`${JSON.stringify(told)}\n`)
}

let reports = Promise.resolve()
createInterface({ input: process.stdin }).on('line', () => {
  reports = reports.then(report)
})
const writing = Promise.all(lanes.map(write))
process.once('SIGTERM', () => {
  // What was asked before is answered before.
  reports = reports.then(async () => {
    running = false
    await writing
    await report()
    client.disconnect()
    process.exit(0)
  })
})
