/** The allow-list: whatever else is said of what is ours is named. Only what is known to do no harm is no failure. */
import { fail, type Finding, warn } from '../../finding.ts'
import { handoverService, needsHandover } from '../compose.ts'
import { inContainer } from '../places.ts'
import { type ComposeCase, type Judge, orOk, warned } from './compose-case.ts'
import { ownNetwork } from './compose-confined.ts'
import { isNothing, record, seconds, textOf } from './compose-read.ts'

/** Keys that other judgements look at, besides those that stack.yaml makes. */
const judgedElsewhere = [
  ...['entrypoint', 'network_mode', 'ports', 'configs', 'stop_signal', 'extends', 'env_file'],
  ...['mem_limit', 'mem_reservation', 'cpus', 'pids_limit', 'depends_on'],
  ...['privileged', 'pid', 'ipc', 'uts', 'userns_mode', 'cgroup', 'devices', 'device_cgroup_rules', 'gpus', 'cap_add'],
]

/** What changes neither rights, nor room, nor what is served; of a service unless a place is named. */
const harmless: Record<string, readonly string[]> = {
  service: [
    ...['annotations', 'attach', 'domainname', 'expose', 'init', 'labels', 'label_file', 'logging', 'platform'],
    ...['pull_policy', 'pull_refresh_after', 'stdin_open', 'tty', 'ulimits', 'cpuset', 'cpu_shares'],
  ],
  // Those of a swarm, which docker compose leaves aside.
  deploy: ['labels', 'endpoint_mode', 'placement', 'update_config', 'rollback_config'],
  healthcheck: ['start_interval'],
  logging: ['options'],
  membership: ['aliases', 'ipv4_address', 'ipv6_address', 'mac_address', 'priority', 'gw_priority', 'interface_name'],
  networks: ['labels', 'ipam', 'enable_ipv4', 'enable_ipv6', 'attachable'],
  volumes: ['labels', 'external'],
  secrets: ['labels', 'name'],
}

/** What comes of a key, as the end of a sentence. */
const outcomes: Record<string, string> = {
  post_start: 'runs another program in the container',
  pre_stop: 'runs another program in the container',
  volumes_from: 'mounts whatever another container has',
  group_add: 'gives the server the rights of another group',
  sysctls: 'changes settings of the kernel',
  cgroup_parent: 'puts it under the limits of something else',
  memswap_limit: 'lets its memory go to the swap of the host',
  oom_kill_disable: 'keeps the kernel from ending it, and takes the memory of its neighbours instead',
  oom_score_adj: 'changes whom the kernel ends for want of memory',
  extra_hosts: 'changes which address a name has',
  dns: 'changes which address a name has',
  profiles: 'keeps it from being started with the others',
  scale: 'changes how many of it there are: none, or several on one volume',
  replicas: 'changes how many of it there are: none, or several on one volume',
  restart_policy: 'goes before restart',
  working_dir: 'changes where relative paths lead',
  runtime: 'runs it by another program, which may confine it less',
  build: 'replaces the image by one that is built here',
  use_api_socket: 'hands it docker’s socket',
  driver: 'is another driver than docker’s own',
  driver_opts: 'may be any directory of the host, or open to it',
}

/** @property at `services.valkey` @property kind which of what is harmless goes for it @property known what is judged elsewhere, or as it should be */
type Place = { at: string; kind: string; entry: unknown; known: readonly string[] }

/** One finding for each key that is not of ours. Values are not shown: one may be a password. */
function strangers(given: ComposeCase, { at, kind, entry, known }: Place): Finding[] {
  return Object.entries(record(entry))
    .filter(([key, value]) => !known.includes(key) && !isNothing(value) && !isDefault(kind, key, value))
    .map(([key]) => {
      const isHarmless = key.startsWith('x-') || harmless[kind]?.includes(key)
      if (isHarmless) return found(given, at, key, 'is nothing of the stack', warn)
      return found(given, at, key, outcomes[key] ?? 'is nothing of the stack, and not known to do no harm', fail)
    })
}

/** What docker has anyway. */
const defaults: Record<string, string> = {
  'service.scale': '1',
  'deploy.replicas': '1',
  'deploy.mode': 'replicated',
  'networks.driver': 'bridge',
  'volumes.driver': 'local',
}
const isDefault = (kind: string, key: string, value: unknown) => defaults[`${kind}.${key}`] === textOf(value)

function found(given: ComposeCase, at: string, key: string, says: string, as: typeof fail): Finding {
  const { anew, path, isShared } = given
  // A network that others are in as well is never written anew.
  const isTheirs = isShared && at.startsWith('networks.')
  return as(
    'compose keys',
    `${path}: ${at}.${key} ${says}`,
    `Under ${at}: no ${key}.${isTheirs ? '' : ` Or write it anew: ${anew}`}`,
  )
}

const ofService: Judge = (given) => {
  const { spec, has, wanted } = given
  const at = `services.${spec.service.name}`
  const place = (path: string[], kind: string, known: readonly string[] = []): Place => {
    const inner = (of: unknown) => path.reduce((value: unknown, step) => record(value)[step], of)
    const own = Object.keys(record(inner(wanted.raw)))
    return { at: [at, ...path].join('.'), kind, entry: inner(has.raw), known: [...own, ...known] }
  }
  return [
    place([], 'service', judgedElsewhere),
    place(['deploy'], 'deploy'),
    place(['deploy', 'resources'], ''),
    place(['deploy', 'resources', 'limits'], ''),
    place(['deploy', 'resources', 'reservations'], ''),
    place(['healthcheck'], 'healthcheck', ['disable']),
    place(['logging'], 'logging'),
  ].flatMap((each) => strangers(given, each))
}

/** What a list or a map has more than it should, and what is set otherwise; none of it does harm. */
const additions: Judge = (given) => {
  const { spec, has, wanted } = given
  const findings: Finding[] = []
  const more = (what: string, all: Iterable<string>, ours: ReadonlySet<string>) => {
    const others = [...all].filter((name) => !ours.has(name))
    if (others.length > 0)
      findings.push(
        warned(given, 'keys', `${what} ${others.join(', ')}: nothing of the stack`, `no ${what} ${others.join(', ')}`),
      )
  }
  more('labels', has.labels.keys(), new Set(wanted.labels.keys()))
  more('depends_on', has.dependsOn.keys(), new Set([...wanted.dependsOn.keys(), handoverService(spec)]))
  const options = (of: typeof has) => new Set(Object.keys(record(record(of.raw['logging'])['options'])))
  more('logging.options', options(has), options(wanted))
  findings.push(...healthTimes(given))
  return findings
}

/** Of a health check that is ours; another one has times of its own. */
function healthTimes(given: ComposeCase): Finding[] {
  if (given.has.healthTest.at(-1) !== given.wanted.healthTest.at(-1)) return []
  const [is, should] = [record(given.has.raw['healthcheck']), record(given.wanted.raw['healthcheck'])]
  const isSame = (key: string) =>
    textOf(is[key]) === textOf(should[key]) ||
    (seconds(is[key]) !== undefined && seconds(is[key]) === seconds(should[key]))
  const wrong = ['interval', 'timeout', 'retries', 'start_period'].filter((key) => !isSame(key))
  if (wrong.length === 0) return []
  const lines = wrong.map((key) => `${key}: ${textOf(should[key])}`).join(', ')
  return [warned(given, 'keys', `healthcheck is not ${lines}`, `healthcheck: {${lines}}`)]
}

/** The network that the service is in, the volume it has and its secrets, under whatever key they stand. */
const ofOthers: Judge = (given) => {
  const { spec, has, wanted, compose, absolute } = given
  const places: Place[] = []
  const network = ownNetwork(given)
  if (network !== undefined) {
    const membership = record(has.raw['networks'])[network]
    const known = ['name', 'internal', 'external']
    places.push(
      { at: `services.${spec.service.name}.networks.${network}`, kind: 'membership', entry: membership, known: [] },
      { at: `networks.${network}`, kind: 'networks', entry: compose.networks[network], known },
    )
  }
  const volume = has.mounts.findLast(({ type, target }) => type === 'volume' && target === inContainer.data)?.source
  if (volume !== undefined)
    places.push({ at: `volumes.${volume}`, kind: 'volumes', entry: compose.volumes[volume], known: ['name'] })
  const files = wanted.mounts.filter(({ type }) => type === 'secrets').map(({ source = '' }) => absolute(source))
  for (const [key, entry] of Object.entries(compose.secrets))
    if (files.includes(absolute(textOf(record(entry)['file']))))
      places.push({ at: `secrets.${key}`, kind: 'secrets', entry, known: ['file'] })
  return places.flatMap((place) => strangers(given, place))
}

/** Its rights are judged as one; this is the rest of it. */
const ofHandover: Judge = (given) => {
  const name = handoverService(given.spec)
  const raw = given.compose.service(name)?.raw
  if (raw === undefined || !needsHandover(given.spec)) return []
  const known = [
    ...['image', 'user', 'entrypoint', 'command', 'network_mode', 'volumes', 'security_opt', 'cap_drop', 'cap_add'],
    ...['read_only', 'restart', 'privileged', 'secrets', 'configs', 'tmpfs'],
  ]
  return strangers(given, { at: `services.${name}`, kind: 'service', entry: raw, known })
}

export const keys: Judge = (given) =>
  orOk(
    [ofService, additions, ofOthers, ofHandover].flatMap((judge) => judge(given)),
    'keys',
    'nothing but what stack.yaml makes',
  )
