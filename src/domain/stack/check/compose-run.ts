/** How the container is run: of which image, by which command, within which limits, and how it ends and comes back. */
import type { Finding } from '../../finding.ts'
import { inContainer } from '../places.ts'
import { healthSettings, healthVariables } from '../health.ts'
import { imageProblem } from './advice.ts'
import { type ComposeCase, failed, type Judge, orOk, warned } from './compose-case.ts'
import { bytes, record, textOf } from './compose-read.ts'

/** Where it is stack.yaml's own, that file is judged. */
const image: Judge = (given) => {
  const { spec, has } = given
  const { image: wanted } = spec.service
  const is = has.raw['image']
  const line = `image: ${wanted}`
  if (typeof is !== 'string') return [failed(given, 'image', 'no image is named', line)]
  if (is === wanted) return orOk([], 'image', is)
  const problem = imageProblem(is, spec.engine)
  return [warned(given, 'image', problem ?? `the image is ${is}, and stack.yaml says ${wanted}`, line)]
}

const shells = new Set(['sh', 'bash', 'ash', 'dash', 'busybox'])
/** The image's own, which runs what it is given in its place; one of another directory is another program. */
const ofImage = (program: string, name: string) => program === name || program === `/usr/local/bin/${name}`
const baseName = (path: string) => path.slice(path.lastIndexOf('/') + 1)

/** Arguments are not shown: one may be a password. */
const command: Judge = (given) => {
  const { argv } = given.has
  const words = ofImage(argv[0] ?? '', 'docker-entrypoint.sh') ? argv.slice(1) : argv
  const line = `command: [${given.wanted.argv.join(', ')}]`
  const [program = '', ...args] = words
  if (words.length === 0)
    return [failed(given, 'command', 'no command: the server starts without valkey.conf, open to everybody', line)]
  if (shells.has(baseName(program)))
    return [
      failed(
        given,
        'command',
        'a shell is process 1: docker stop reaches it and not the server, which is killed unsaved',
        line,
      ),
    ]
  if (!ofImage(program, given.wanted.argv[0] ?? '') || args[0] !== inContainer.conf)
    return [failed(given, 'command', `it does not start the server on ${inContainer.conf}`, line)]
  if (args.length > 1)
    return [
      failed(
        given,
        'command',
        'arguments behind the file override what it says, and everybody on the host sees them',
        line,
      ),
    ]
  return orOk([], 'command', 'the server itself, no shell')
}

const PASSWORD_ARGUMENT =
  /(^|[\s"'])(-a|--pass(word)?|--askpass)([\s=]|$)|(REDISCLI|VALKEYCLI)_AUTH=|:\/\/[^/\s]*:[^/\s]*@/

const health: Judge = (given) => {
  const test = given.has.healthTest
  const [kind, ...words] = test
  const line = `healthcheck: {test: [${given.wanted.healthTest.join(', ')}]}`
  if (kind === undefined || kind === 'NONE')
    return [
      failed(given, 'health check', 'none: nobody notices a server that hangs, and up --wait does not wait', line),
    ]
  if (PASSWORD_ARGUMENT.test(words.join(' ')))
    return [
      failed(given, 'health check', 'it holds a password among its arguments, which everybody on the host sees', line),
    ]
  if (words.join(' ').trim() !== inContainer.health)
    return [warned(given, 'health check', `it does not run ${inContainer.health}`, line)]
  const own = Object.keys(healthVariables).flatMap((name) => {
    const value = given.has.environment.get(name)
    return value === undefined ? [] : [[name, value]]
  })
  const read = healthSettings(Object.fromEntries(own))
  if ('verdict' in read)
    return [
      failed(given, 'health check', `it will never be well: ${read.verdict.text}`, 'environment: the value right'),
    ]
  return orOk([], 'health check', 'no password in its arguments')
}

const limits: Judge = (given) => {
  const { spec, has, wanted } = given
  const { memory_mb: megabytes, memory_reservation_mb: reserved, cpus } = spec.service
  const line = `deploy.resources: limits {memory: ${megabytes}M, cpus: "${cpus}"}, reservations {memory: ${reserved}M}`
  const findings: Finding[] = []
  if (has.memoryBytes === undefined)
    findings.push(failed(given, 'limits', 'no memory limit: the server may take what its neighbours need', line))
  else if (has.memoryBytes <= spec.server.maxmemory_mb * 2 ** 20)
    findings.push(
      failed(
        given,
        'limits',
        'the memory limit is not above maxmemory: the kernel ends the server where it should evict',
        line,
      ),
    )
  else if (has.memoryBytes !== wanted.memoryBytes)
    findings.push(warned(given, 'limits', `the memory limit is not stack.yaml’s ${megabytes} MB`, line))
  if (has.cpus === undefined) findings.push(failed(given, 'limits', 'no CPU limit', line))
  else if (has.cpus !== cpus)
    findings.push(warned(given, 'limits', `the CPU limit is ${has.cpus}, and stack.yaml says ${cpus}`, line))
  if (findings.length === 0 && has.reservedBytes !== wanted.reservedBytes)
    findings.push(warned(given, 'limits', `the memory reservation is not stack.yaml’s ${reserved} MB`, line))
  findings.push(...swapAndProcesses(given))
  return orOk(findings, 'limits', `${megabytes} MB, ${cpus} CPU`)
}

/** What has no limit may be taken from the neighbours; another limit is a choice. */
function swapAndProcesses(given: ComposeCase): Finding[] {
  const findings: Finding[] = []
  const [swap, swapWanted] = [given.has.raw['memswap_limit'], given.wanted.raw['memswap_limit']]
  if (swapWanted !== undefined && bytes(swap) !== bytes(swapWanted))
    findings.push(
      failed(
        given,
        'limits',
        'its memory may go to the swap of the host, where it is slow and on a disk',
        `memswap_limit: ${textOf(swapWanted)}`,
      ),
    )
  const [processes, most] = [given.has.processes, given.wanted.processes]
  const line = `deploy.resources.limits: {pids: ${most}}`
  if (most !== undefined && processes === undefined)
    findings.push(failed(given, 'limits', 'no limit of processes', line))
  else if (processes !== most) findings.push(warned(given, 'limits', `the limit of processes is not ${most}`, line))
  return findings
}

const logging: Judge = (given) => {
  const wanted = record(given.wanted.raw['logging'])
  const is = record(given.has.raw['logging'])
  const limitsOf = (of: Readonly<Record<string, unknown>>) => {
    const options = record(of['options'])
    return { size: textOf(options['max-size']), files: textOf(options['max-file']) }
  }
  const [limit, most] = [limitsOf(is), limitsOf(wanted)]
  const driver = textOf(wanted['driver'])
  const line = `logging: {driver: ${driver}, options: {max-size: ${most.size}, max-file: "${most.files}"}}`
  if (is['driver'] !== driver)
    return [warned(given, 'logging', `the driver is not ${driver}: nothing here limits what it keeps`, line)]
  if (limit.size === '' || limit.files === '')
    return [warned(given, 'logging', 'the log has no limit, and fills the disk', line)]
  if (limit.size !== most.size || limit.files !== most.files)
    return [warned(given, 'logging', `the log’s limit is not ${most.size} × ${most.files}`, line)]
  return orOk([], 'logging', `${most.size} × ${most.files}`)
}

const restart: Judge = (given) => {
  const policy = given.has.raw['restart']
  const line = 'restart: unless-stopped'
  if (policy === 'unless-stopped' || policy === 'always') return orOk([], 'restart', policy)
  if (typeof policy === 'string' && policy.startsWith('on-failure'))
    return [warned(given, 'restart', `${policy} does not bring it back after a restart of the machine`, line)]
  return [failed(given, 'restart', 'once it ends, by a crash or for want of memory, it stays away', line)]
}

const stop: Judge = (given) => {
  const { has, wanted } = given
  const signal = textOf(has.raw['stop_signal'])
  if (signal !== '' && !/^(SIG)?(TERM|INT)$|^(15|2)$/.test(signal))
    return [failed(given, 'stop', `it is ended by ${signal}, which saves nothing`, 'no stop_signal')]
  const grace = has.stopGraceSeconds ?? 10
  const needed = wanted.stopGraceSeconds ?? 10
  if (grace < needed)
    return [
      warned(
        given,
        'stop',
        `after ${grace} s docker kills it, and a last save may take ${needed} s`,
        `stop_grace_period: ${needed}s`,
      ),
    ]
  return orOk([], 'stop', `up to ${grace} s for the last save`)
}

const named: Judge = (given) => {
  const { has, wanted, spec } = given
  const findings: Finding[] = []
  if (has.raw['hostname'] !== wanted.raw['hostname'])
    findings.push(
      warned(
        given,
        'names',
        `the hostname is not ${spec.service.name}, to which valkey.conf binds`,
        `hostname: ${spec.service.name}`,
      ),
    )
  if (has.raw['container_name'] !== wanted.raw['container_name'])
    findings.push(
      warned(
        given,
        'names',
        `the container is not called ${spec.service.container_name}`,
        `container_name: ${spec.service.container_name}`,
      ),
    )
  for (const [name, value] of wanted.labels)
    if (has.labels.get(name) !== value)
      findings.push(warned(given, 'names', `the label ${name} is not ${value}`, `labels: {${name}: ${value}}`))
  return orOk(findings, 'names', `${spec.service.container_name}, hostname ${spec.service.name}`)
}

/** What only docker works out, which this check does not. A whole file may bring anything. */
const unclear: Judge = (given) =>
  given.has.unclear.map((field) =>
    (['extends', 'env_file'].includes(field) ? failed : warned)(
      given,
      'variables',
      `${field} depends on what is not in this file, and was not checked as docker will have it`,
      `${field} written out`,
    ),
  )

export const runJudges: readonly Judge[] = [image, command, health, limits, logging, restart, stop, named, unclear]
