/** How far the container is kept from the host, from other networks and from what it need not write. */
import type { Finding } from '../../finding.ts'
import { type ComposeCase, failed, type Judge, orOk, warned } from './compose-case.ts'
import { healthVariables } from '../health.ts'
import { bytes, flag, isNothing, record, textOf, texts } from './compose-read.ts'

const upper = (values: readonly string[]) => values.map((value) => value.toUpperCase().replace(/^CAP_/, ''))

const user: Judge = (given) => {
  const { spec, has } = given
  const wanted = spec.service.user
  const is = textOf(has.raw['user'])
  const line = `user: "${wanted}"`
  if (is === '')
    return [failed(given, 'user', `no user: root without its capabilities reads neither the secrets nor /data`, line)]
  if (is !== wanted) return [failed(given, 'user', `user ${is}, and the secrets and keys belong to ${wanted}`, line)]
  return orOk([], 'user', wanted)
}

const capabilities: Judge = (given) => {
  const { raw } = given.has
  const added = texts(raw['cap_add'])
  const findings: Finding[] = []
  if (!upper(texts(raw['cap_drop'])).includes('ALL'))
    findings.push(failed(given, 'capabilities', 'not all capabilities are dropped', 'cap_drop: [ALL]'))
  if (added.length > 0)
    findings.push(failed(given, 'capabilities', `the service gets ${added.join(', ')}, and needs none`, 'no cap_add'))
  return orOk(findings, 'capabilities', 'all dropped')
}

const security: Judge = (given) => {
  const options = texts(given.has.raw['security_opt']).map((option) => option.replace('=', ':'))
  const findings: Finding[] = []
  if (!options.some((option) => option === 'no-new-privileges:true' || option === 'no-new-privileges'))
    findings.push(
      failed(
        given,
        'no-new-privileges',
        'a program in the container could gain rights by a setuid file',
        'security_opt: ["no-new-privileges:true"]',
      ),
    )
  const others = options.filter((option) => option !== 'no-new-privileges:true' && option !== 'no-new-privileges')
  if (others.length > 0)
    findings.push(
      failed(
        given,
        'no-new-privileges',
        `${others.join(', ')} takes a guard of docker’s away, or puts another in its place`,
        `no ${others.join(', ')}`,
      ),
    )
  return orOk(findings, 'no-new-privileges', 'set')
}

const readOnly: Judge = (given) =>
  flag(given.has.raw['read_only']) === true
    ? orOk([], 'read_only', 'the root file system cannot be written')
    : [failed(given, 'read_only', 'the root file system can be written', 'read_only: true')]

/** A tmpfs of another size is still one; one without a size may take all the memory there is. */
const tmpfs: Judge = (given) => {
  const wanted = given.wanted.mounts.find(({ type }) => type === 'tmpfs')
  const found = given.has.mounts.find(({ type, target }) => type === 'tmpfs' && target === wanted?.target)
  const line = `tmpfs: ["${wanted?.target}:${wanted?.options}"]`
  if (found === undefined) return [warned(given, 'tmpfs', 'nothing at /tmp can be written', line)]
  const size = sizeOf(found.options)
  if (size === undefined) return [warned(given, 'tmpfs', '/tmp has no size, and may fill the memory', line)]
  if (size !== sizeOf(wanted?.options ?? ''))
    return [warned(given, 'tmpfs', `/tmp has ${size} bytes where stack.yaml’s has 10M`, line)]
  return orOk(tmpfsRights(given, found.options, line), 'tmpfs', `/tmp, ${found.options}`)
}

/** Docker's own are noexec, nosuid and nodev. */
function tmpfsRights(given: ComposeCase, options: string, line: string): Finding[] {
  const [rights, others]: [string[], string[]] = [[], []]
  for (const option of options.split(','))
    if (/^(exec|suid|dev)$/.test(option)) rights.push(option)
    else if (!/^(size=.*|mode=0?1777|rw|noexec|nosuid|nodev|)$/.test(option)) others.push(option)
  if (rights.length > 0)
    return [failed(given, 'tmpfs', `/tmp is ${rights.join(', ')}: what is written there can be run`, line)]
  return others.length > 0 ? [warned(given, 'tmpfs', `/tmp has ${others.join(', ')}`, line)] : []
}

const sizeOf = (options: string) => bytes(/(?:^|,)size=([^,]*)/.exec(options)?.[1])

/** Namespaces, with what docker gives a container of its own. */
const namespaces: Record<string, readonly string[]> = {
  pid: [],
  ipc: ['private', 'none'],
  uts: [],
  userns_mode: [],
  cgroup: ['private'],
}

const privileges: Judge = (given) => {
  const { raw } = given.has
  const findings: Finding[] = []
  if (flag(raw['privileged']) !== false)
    findings.push(failed(given, 'privileges', 'the container is privileged: it is root of the host', 'no privileged'))
  for (const [name, own] of Object.entries(namespaces)) {
    const is = textOf(raw[name])
    if (is === '' || own.includes(is)) continue
    const whom = is === 'host' ? 'the host' : 'others'
    findings.push(failed(given, 'privileges', `${name}: ${is} shares it with ${whom}`, `no ${name}`))
  }
  for (const name of ['devices', 'device_cgroup_rules', 'gpus'])
    if (!isNothing(raw[name]))
      findings.push(failed(given, 'privileges', `${name}: it gets devices of the host`, `no ${name}`))
  return orOk(findings, 'privileges', 'none of the host')
}

const ports: Judge = (given) =>
  isNothing(given.has.raw['ports'])
    ? orOk([], 'ports', 'none on the host')
    : [failed(given, 'ports', 'the service is published on the host’s addresses', 'no ports')]

/** What docker calls a network of the file; the key, where it is called after the project. */
const nameOf = ({ compose }: ComposeCase, key: string) => textOf(record(compose.networks[key])['name']) || key

/** The key under which the stack's network stands, where the service is in it. */
export const ownNetwork = (given: ComposeCase): string | undefined =>
  given.has.networks?.find((key) => nameOf(given, key) === given.spec.service.network)

const network: Judge = (given) => {
  const { spec, has, compose } = given
  const { network: name, network_external: isExternal } = spec.service
  const line = `networks: [${name}]`
  const mode = textOf(has.raw['network_mode'])
  if (mode !== '')
    return [
      failed(given, 'network', `network_mode ${mode} goes round the network ${name}`, `no network_mode, and ${line}`),
    ]
  const own = ownNetwork(given)
  const findings: Finding[] = []
  if (own === undefined) findings.push(failed(given, 'network', `the service is not in the network ${name}`, line))
  const others = (has.networks ?? []).filter((key) => key !== own)
  if (others.length > 0) findings.push(failed(given, 'network', `the service is in ${others.join(', ')} as well`, line))
  const { internal, external } = record(compose.networks[own ?? ''])
  const isElsewhere = typeof external === 'object' ? external !== null : flag(external) !== false
  if (own !== undefined && isElsewhere && !isExternal) findings.push(madeElsewhere(given, own))
  if (own !== undefined && flag(internal) !== true && !isElsewhere) findings.push(openNetwork(given, own, isExternal))
  return orOk(findings, 'network', isElsewhere ? `${name} alone, made elsewhere` : `${name} alone, internal`)
}

/** Where stack.yaml says that the network is somebody else's, so is the choice. */
function openNetwork(given: ComposeCase, key: string, isExternal: boolean): Finding {
  const finding = (isExternal ? warned : failed)(
    given,
    'network',
    `the network ${key} is not internal: the server reaches the world outside`,
    '',
  )
  return { ...finding, fix: `Under networks.${key}: internal: true` }
}

/** It may be internal or not: the file does not say. */
function madeElsewhere(given: ComposeCase, key: string): Finding {
  const detail = `the network ${key} is made elsewhere: nothing here keeps it internal`
  const fix = `In stack.yaml: service.network_external: true, if it is; else under networks.${key}: internal: true, and no external`
  return { ...warned(given, 'network', detail, ''), fix }
}

const PASSWORD_NAME = /(^|_)(pass|passwd|pw|secret|token|auth)(_|$)|password/i

/**
 * What the image's entry point, the loader, OpenSSL, a shell and the programs of Valkey read: VALKEY_EXTRA_FLAGS is put
 * behind the server's arguments.
 */
const STEERING = /^(VALKEY|REDIS|LD_|GLIBC_|GCONV_|LOCPATH$|MALLOC_|OPENSSL_|SSL|PATH$|ENV$|IFS$|HOME$|BASH)/i
/** Settings of the health check that are a person's choice. */
const CHOICES = ['MEMORY_WARN_PERCENT', 'VALKEY_TIMEOUT']

/** The environment is seen by `docker inspect` and by every child: nothing secret belongs there. Values are not shown. */
const environment: Judge = (given) => {
  const { has, wanted } = given
  const findings: Finding[] = []
  for (const [name, value] of has.environment)
    if (!wanted.environment.has(name)) findings.push(...variable(given, name, value))
  for (const [name, value] of wanted.environment)
    if ((has.environment.get(name) ?? '') !== value)
      findings.push(
        failed(
          given,
          'environment',
          `${name} is not ${value}: the health check would ask elsewhere, or as somebody else`,
          `environment: {${name}: ${value}}`,
        ),
      )
  return orOk(findings, 'environment', 'no password')
}

function variable(given: ComposeCase, name: string, value: string): Finding[] {
  const without = `no ${name}`
  if (value !== '' && PASSWORD_NAME.test(name) && !/_file$/i.test(name))
    return [failed(given, 'environment', `${name} looks like a password, and docker inspect shows it`, without)]
  const standard = (healthVariables as Readonly<Record<string, string>>)[name]
  // Empty, it is a finding of the health check.
  if (standard !== undefined && (value === standard || value === '')) return []
  if (CHOICES.includes(name)) return [warned(given, 'environment', `${name} is not ${standard}`, without)]
  if (standard !== undefined)
    return [failed(given, 'environment', `${name}: the health check would ask elsewhere, or as somebody else`, without)]
  if (STEERING.test(name))
    return [failed(given, 'environment', `${name} changes what runs, past valkey.conf and stack.yaml`, without)]
  return [warned(given, 'environment', `${name} is nothing of the stack`, without)]
}

export const confinedJudges: readonly Judge[] = [
  user,
  capabilities,
  security,
  readOnly,
  tmpfs,
  privileges,
  ports,
  network,
  environment,
]
