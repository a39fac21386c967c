/** How far the container is kept from the host, from other networks and from what it need not write. */
import type { Finding } from '../../finding.ts'
import { type ComposeCase, failed, type Judge, orOk, warned } from './compose-case.ts'
import { bytes, record, textOf, texts } from './compose-read.ts'

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
  const loose = options.filter((option) => option.endsWith(':unconfined') || option === 'label:disable')
  if (loose.length > 0)
    findings.push(
      failed(
        given,
        'no-new-privileges',
        `${loose.join(', ')} takes a guard of docker’s away`,
        `no ${loose.join(', ')}`,
      ),
    )
  return orOk(findings, 'no-new-privileges', 'set')
}

const readOnly: Judge = (given) =>
  given.has.raw['read_only'] === true
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
  return orOk([], 'tmpfs', `/tmp, ${found.options}`)
}

const sizeOf = (options: string) => bytes(/(?:^|,)size=([^,]*)/.exec(options)?.[1])

const hostNamespaces = ['pid', 'ipc', 'uts', 'userns_mode', 'cgroup'] as const

const privileges: Judge = (given) => {
  const { raw } = given.has
  const findings: Finding[] = []
  if (raw['privileged'] === true)
    findings.push(failed(given, 'privileges', 'the container is privileged: it is root of the host', 'no privileged'))
  for (const name of hostNamespaces)
    if (raw[name] === 'host')
      findings.push(failed(given, 'privileges', `${name}: host shares it with the host`, `no ${name}`))
  for (const name of ['devices', 'device_cgroup_rules'])
    if (texts(raw[name]).length > 0)
      findings.push(failed(given, 'privileges', `${name}: it gets devices of the host`, `no ${name}`))
  return orOk(findings, 'privileges', 'none of the host')
}

const ports: Judge = (given) =>
  Array.isArray(given.has.raw['ports']) && given.has.raw['ports'].length > 0
    ? [failed(given, 'ports', 'the service is published on the host’s addresses', 'no ports')]
    : orOk([], 'ports', 'none on the host')

const network: Judge = (given) => {
  const { spec, has, compose } = given
  const { network: name, network_external: isExternal } = spec.service
  const line = `networks: [${name}]`
  const mode = textOf(has.raw['network_mode'])
  if (mode !== '')
    return [
      failed(given, 'network', `network_mode ${mode} goes round the network ${name}`, `no network_mode, and ${line}`),
    ]
  const nameOf = (key: string) => textOf(record(compose.networks[key])['name']) || key
  const own = has.networks?.find((key) => key === name || nameOf(key) === name)
  const findings: Finding[] = []
  if (own === undefined) findings.push(failed(given, 'network', `the service is not in the network ${name}`, line))
  const others = (has.networks ?? []).filter((key) => key !== own)
  if (others.length > 0) findings.push(failed(given, 'network', `the service is in ${others.join(', ')} as well`, line))
  const { internal, external } = record(compose.networks[own ?? ''])
  const isElsewhere = external !== undefined && external !== false
  if (own !== undefined && internal !== true && !isElsewhere) findings.push(openNetwork(given, own, isExternal))
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

const PASSWORD_NAME = /(^|_)(pass|passwd|pw|secret|token|auth)(_|$)|password/i

/** The environment is seen by `docker inspect` and by every child: nothing secret belongs there. Values are not shown. */
const environment: Judge = (given) => {
  const { has, wanted } = given
  const findings: Finding[] = []
  for (const [name, value] of has.environment) {
    if (value !== '' && PASSWORD_NAME.test(name) && !/_file$/i.test(name))
      findings.push(
        failed(given, 'environment', `${name} looks like a password, and docker inspect shows it`, `no ${name}`),
      )
  }
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
