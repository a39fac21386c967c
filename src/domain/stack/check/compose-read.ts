/** Reads a service of a compose file whichever way it is written: short or long mounts, lists or maps, old or new limits. */
import { splitArgs } from '../../conf/split-args.ts'

/** A mount, a secret or a config, which all are something at a path inside the container. */
export type ReadMount = {
  target: string
  type: string
  /** A path as the file has it, or a volume's key; undefined for none. */
  source: string | undefined
  readOnly: boolean
  /** Options of a tmpfs. */
  options: string
  /** What else is said of it: `z`, `bind.propagation`. */
  more: string[]
}

export type ReadService = {
  /** The service as it stands, for what has one spelling. */
  raw: Readonly<Record<string, unknown>>
  mounts: ReadMount[]
  environment: ReadonlyMap<string, string>
  labels: ReadonlyMap<string, string>
  /** Keys of the networks; undefined where none are named. */
  networks: string[] | undefined
  /** Entry point and command, one after the other. */
  argv: string[]
  healthTest: string[]
  memoryBytes: number | undefined
  reservedBytes: number | undefined
  cpus: number | undefined
  /** Limit of processes. */
  processes: number | undefined
  stopGraceSeconds: number | undefined
  dependsOn: ReadonlyMap<string, string>
  /** Fields with a variable in them that has no default, and what else only docker can work out. */
  unclear: string[]
}

export type ReadCompose = {
  service: (name: string) => ReadService | undefined
  /** Names of the services. */
  services: string[]
  networks: Readonly<Record<string, unknown>>
  volumes: Readonly<Record<string, unknown>>
  secrets: Readonly<Record<string, unknown>>
}

export const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/** A scalar as text; empty where there is none. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''

/** As docker compose reads what is a yes or a no; undefined for what is neither. */
export function flag(value: unknown): boolean | undefined {
  const word = textOf(value).toLowerCase()
  if (/^(true|t|1|y|yes|on)$/.test(word)) return true
  return /^(false|f|0|n|no|off|)$/.test(word) ? false : undefined
}

/** Whether a value says no more than its absence would. */
export const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (typeof value === 'object' ? Object.keys(value).length === 0 : /^(false|)$/i.test(textOf(value)))

/** A list of texts, or one text alone. */
export const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(textOf) : value === undefined || value === null ? [] : [textOf(value)]

/** `${NAME:-default}` and `${NAME-default}` are their default, `$$` is a `$`; of others `unclear` hears. */
function interpolated(value: unknown, at: string, unclear: string[]): unknown {
  if (Array.isArray(value)) return value.map((each) => interpolated(each, at, unclear))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, interpolated(each, at === '' ? key : at, unclear)]),
    )
  if (typeof value !== 'string') return value
  return value.replace(/\$\$|\$\{\w+(:?-([^}]*))?[^}]*\}|\$\w+/g, (found, hasDefault, fallback) => {
    if (found === '$$') return '$'
    if (hasDefault !== undefined) return String(fallback)
    if (!unclear.includes(at)) unclear.push(at)
    return found
  })
}

/** @param file the YAML as data */
export function readCompose(file: unknown): ReadCompose {
  const top = record(file)
  const services = record(top['services'])
  const plain = (section: string) => record(interpolated(top[section], section, []))
  return {
    services: Object.keys(services),
    networks: plain('networks'),
    volumes: plain('volumes'),
    secrets: plain('secrets'),
    service(name) {
      if (!Object.hasOwn(services, name)) return undefined
      const unclear: string[] = []
      const raw = record(interpolated(services[name], '', unclear))
      for (const field of ['extends', 'env_file']) if (raw[field] !== undefined) unclear.push(field)
      return readService(raw, { secrets: plain('secrets'), configs: plain('configs') }, unclear)
    },
  }
}

type Handed = Record<'secrets' | 'configs', Readonly<Record<string, unknown>>>

function readService(raw: Readonly<Record<string, unknown>>, handed: Handed, unclear: string[]): ReadService {
  const resources = record(record(raw['deploy'])['resources'])
  const [limits, reservations] = [record(resources['limits']), record(resources['reservations'])]
  const { networks } = raw
  const named = Array.isArray(networks) ? texts(networks) : Object.keys(record(networks))
  return {
    raw,
    mounts: [
      ...volumes(raw),
      ...handedFiles('secrets', raw, handed),
      ...handedFiles('configs', raw, handed),
      ...tmpfs(raw),
    ],
    environment: keyValues(raw['environment']),
    labels: keyValues(raw['labels']),
    networks: networks === undefined || networks === null ? undefined : named,
    argv: [...commandWords(raw['entrypoint']), ...commandWords(raw['command'])],
    healthTest: healthTest(record(raw['healthcheck'])),
    memoryBytes: bytes(limits['memory'] ?? raw['mem_limit']),
    reservedBytes: bytes(reservations['memory'] ?? raw['mem_reservation']),
    cpus: positive(limits['cpus'] ?? raw['cpus']),
    processes: positive(limits['pids'] ?? raw['pids_limit']),
    stopGraceSeconds: seconds(raw['stop_grace_period']),
    dependsOn: dependencies(raw['depends_on']),
    unclear,
  }
}

/** `[A=1]` and `{A: 1}` alike. A name without a value takes it from the shell, and is empty here. */
function keyValues(value: unknown): Map<string, string> {
  if (!Array.isArray(value)) return new Map(Object.entries(record(value)).map(([key, each]) => [key, textOf(each)]))
  return new Map(
    texts(value).map((entry) => {
      const at = entry.indexOf('=')
      return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)]
    }),
  )
}

/** A command as a text is split into words, and no shell sees it. */
const commandWords = (value: unknown): string[] => {
  if (typeof value !== 'string') return texts(value)
  const words = splitArgs(value)
  return Array.isArray(words) ? words : [value]
}

function healthTest(check: Readonly<Record<string, unknown>>): string[] {
  if (flag(check['disable']) !== false) return ['NONE']
  const { test } = check
  return typeof test === 'string' ? ['CMD-SHELL', test] : texts(test)
}

const dependencies = (value: unknown): Map<string, string> =>
  Array.isArray(value)
    ? new Map(texts(value).map((name) => [name, 'service_started']))
    : new Map(Object.entries(record(value)).map(([name, how]) => [name, textOf(record(how)['condition'])]))

function volumes(raw: Readonly<Record<string, unknown>>): ReadMount[] {
  const list: unknown[] = Array.isArray(raw['volumes']) ? raw['volumes'] : []
  return list.map((entry) =>
    typeof entry === 'object' && entry !== null ? longMount(record(entry)) : shortMount(textOf(entry)),
  )
}

function longMount(entry: Readonly<Record<string, unknown>>): ReadMount {
  const size = textOf(record(entry['tmpfs'])['size'])
  return {
    type: textOf(entry['type']),
    target: target(textOf(entry['target'] ?? entry['destination'] ?? entry['dst'])),
    source: textOf(entry['source'] ?? entry['src']) || undefined,
    readOnly: flag(entry['read_only'] ?? entry['readonly']) === true,
    options: size === '' ? '' : `size=${size}`,
    more: Object.entries(entry)
      .flatMap(([key, value]) =>
        typeof value === 'object' && value !== null ? Object.keys(value).map((within) => `${key}.${within}`) : [key],
      )
      .filter((key) => !MOUNT_KEYS.includes(key)),
  }
}

const MOUNT_KEYS = [
  ...['type', 'target', 'destination', 'dst', 'source', 'src', 'read_only', 'readonly'],
  ...['bind.create_host_path', 'tmpfs.size', 'tmpfs.mode'],
]

/** `SOURCE:TARGET:OPTIONS`, `SOURCE:TARGET`, or a TARGET alone, which gets a volume without a name. */
function shortMount(entry: string): ReadMount {
  const [first = '', second, options = ''] = entry.split(':')
  const source = second === undefined ? undefined : first
  return {
    type: source !== undefined && /^[./~]/.test(source) ? 'bind' : 'volume',
    target: target(second ?? first),
    source,
    readOnly: options.split(',').includes('ro'),
    options: '',
    more: options.split(',').filter((option) => !['', 'ro', 'rw'].includes(option)),
  }
}

/** Without `.`, `..` and slashes that say nothing, as docker takes it. */
export function target(path: string): string {
  const steps: string[] = []
  for (const step of path.split('/')) {
    if (step === '..') steps.pop()
    else if (step !== '' && step !== '.') steps.push(step)
  }
  return `/${steps.join('/')}`
}

/** Secrets and configs of a compose file are files, which docker mounts read-only. */
function handedFiles(what: 'secrets' | 'configs', raw: Readonly<Record<string, unknown>>, handed: Handed): ReadMount[] {
  const list: unknown[] = Array.isArray(raw[what]) ? raw[what] : []
  const within = what === 'secrets' ? '/run/secrets/' : '/'
  return list.map((entry) => {
    const long = typeof entry === 'string' ? { source: entry } : record(entry)
    const name = textOf(long['source'])
    const at = textOf(record(long)['target']) || name
    return {
      type: what,
      target: target(at.startsWith('/') ? at : `${within}${at}`),
      source: textOf(record(handed[what][name])['file']) || undefined,
      readOnly: true,
      options: '',
      more: [],
    }
  })
}

function tmpfs(raw: Readonly<Record<string, unknown>>): ReadMount[] {
  return texts(raw['tmpfs']).map((entry) => {
    const [path = '', options = ''] = entry.split(':')
    return { type: 'tmpfs', target: target(path), source: undefined, readOnly: false, options, more: [] }
  })
}

const UNITS: Record<string, number> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }

/** `512M`, `0.5g`, `512mb`, or bytes. */
export function bytes(value: unknown): number | undefined {
  const [, figure, unit = ''] = /^(\d+(?:\.\d+)?)\s*([bkmg]?)(?:i?b)?$/i.exec(textOf(value)) ?? []
  const factor = UNITS[unit.toLowerCase()]
  const size = figure === undefined || factor === undefined ? 0 : Math.round(Number(figure) * factor)
  return size > 0 ? size : undefined
}

const positive = (value: unknown): number | undefined => {
  const figure = Number(textOf(value) || Number.NaN)
  return figure > 0 ? figure : undefined
}

const SECONDS: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6 }

/** `10s`, `1m30s`, `500ms`. */
export function seconds(value: unknown): number | undefined {
  const text = textOf(value)
  if (!/^(\d+(\.\d+)?(h|ms|m|us|s))+$/.test(text)) return undefined
  return [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|s)/g)].reduce(
    (sum, [, figure, unit = '']) => sum + Number(figure) * (SECONDS[unit] ?? 0),
    0,
  )
}
