/** What the container sees of the host: the stack's files, each where the server looks for it, and nothing else. */
import type { Finding } from '../../finding.ts'
import { certificateFiles, inContainer } from '../places.ts'
import { type ComposeCase, failed, type Judge, orOk, warned } from './compose-case.ts'
import { flag, isNothing, type ReadMount, record, textOf } from './compose-read.ts'

const isFile = ({ type }: ReadMount) => ['bind', 'secrets', 'configs'].includes(type)

/** The mount at a place; of several the last. */
const at = (mounts: readonly ReadMount[], target: string) => mounts.findLast((mount) => mount.target === target)

/** How it is written. */
const lineFor = ({ type, source, target }: ReadMount): string =>
  type === 'secrets'
    ? `secrets: [${target.slice(target.lastIndexOf('/') + 1)}], and its file: ${source}`
    : `volumes: a read-only mount of ${source} at ${target}`

const files: Judge = (given) => {
  const wanted = given.wanted.mounts.filter(isFile)
  const findings = wanted.flatMap((mount) => fileAt(given, mount))
  return orOk(findings, 'mounts', `${wanted.length} files, read-only`)
}

function fileAt(given: ComposeCase, wanted: ReadMount): Finding[] {
  const { target } = wanted
  const found = at(given.has.mounts, target)
  const line = lineFor(wanted)
  const what = wanted.type === 'secrets' ? 'secret' : 'file'
  if (found === undefined) return [failed(given, 'mounts', `no ${what} is mounted at ${target}`, line)]
  if (!isFile(found) || found.source === undefined)
    return [failed(given, 'mounts', `what is mounted at ${target} is no file of the stack`, line)]
  if (given.absolute(found.source) !== given.absolute(wanted.source ?? ''))
    return [failed(given, 'mounts', `${found.source} is mounted at ${target} instead of ${wanted.source}`, line)]
  return found.readOnly ? [] : [failed(given, 'mounts', `the container may write ${found.source}`, line)]
}

const sockets = ['/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock']
const covers = (dir: string, path: string) => dir === path || dir === '/' || path.startsWith(`${dir}/`)

/** Whatever lies below a directory that is mounted is mounted as well. */
const exposed: Judge = (given) => {
  const expected = new Set(given.wanted.mounts.map(({ target }) => target))
  const findings = given.has.mounts.flatMap((mount): Finding[] => {
    const brought = brings(given, mount)
    if (brought !== undefined) return [failed(given, 'host', brought, `no mount of ${mount.source}`)]
    return expected.has(mount.target) ? options(given, mount) : [stranger(given, mount)]
  })
  return orOk(findings, 'host', 'neither ca.key nor docker’s socket')
}

/** Of the worst that a mount can bring. */
function brings({ absolute, places }: ComposeCase, mount: ReadMount): string | undefined {
  if (!isFile(mount) || mount.source === undefined) return undefined
  const source = absolute(mount.source)
  const caKey = `${places.certs}/${certificateFiles.caKey}`
  if (source.endsWith('docker.sock') || sockets.some((socket) => covers(source, socket)))
    return `${mount.source} brings docker’s socket: the container could do anything to the host`
  if (covers(source, caKey))
    return `${mount.source} brings ${certificateFiles.caKey}: whoever has it can make certificates`
  if (covers(source, places.secrets)) return `${mount.source} brings the password of every user`
  return undefined
}

/** For SELinux, or of no effect. */
const harmlessOptions = /^(z|Z|bind\.selinux|consistency|cached|delegated|consistent|r?private|x-.*)$/

/** What is said of a mount that is ours besides where it comes from and goes to. */
function options(given: ComposeCase, { target, more }: ReadMount): Finding[] {
  const found = more.filter((option) => !harmlessOptions.test(option))
  const line = `nothing but source, target and read_only for ${target}`
  if (found.length > 0) return [failed(given, 'host', `the mount at ${target} has ${found.join(', ')} as well`, line)]
  return more.length > 0 ? [warned(given, 'host', `the mount at ${target} has ${more.join(', ')} as well`, line)] : []
}

/** Of the host, what tells of it or is it. */
const hostPlaces = [
  '/etc',
  '/proc',
  '/sys',
  '/dev',
  '/boot',
  '/run',
  '/var/run',
  '/var/lib/docker',
  '/var/lib/containerd',
]
const harmlessPlaces = ['/etc/localtime', '/etc/timezone']
/** In the container, where programs, their libraries and what they read lie. */
const programPlaces = [
  ...['/usr', '/bin', '/sbin', '/lib', '/lib64', '/etc/valkey', '/etc/ssl', '/etc/passwd', '/etc/group', '/etc/hosts'],
  ...['/etc/resolv.conf', '/etc/nsswitch.conf', '/data', '/proc', '/sys', '/dev', '/run/secrets'],
]
const touches = (path: string, places: readonly string[]) =>
  places.some((place) => covers(place, path) || covers(path, place))

/** A mount that is none of the stack's: it must bring nothing of the host, take nothing's place and give no room. */
function stranger(given: ComposeCase, mount: ReadMount): Finding {
  const { type, source, target, readOnly } = mount
  const what = source ?? `a ${type || 'mount'}`
  const without = `no mount at ${target}`
  const isOfSecrets = type === 'secrets' && target.startsWith('/run/secrets/')
  const isProgram = /^\/etc\/ld[.-]/.test(target) || touches(target, programPlaces)
  if (isProgram && !isOfSecrets && target !== '/run')
    return failed(given, 'host', `${what} at ${target} takes the place of what the container runs or reads`, without)
  const path = type === 'bind' && source !== undefined ? given.absolute(source) : undefined
  if (path !== undefined && !harmlessPlaces.includes(path) && touches(path, hostPlaces))
    return failed(given, 'host', `${what} at ${target} shows the host to the container`, without)
  if (path !== undefined && !readOnly) return failed(given, 'host', `the container may write ${what}`, without)
  const isKnown = ['bind', 'volume', 'tmpfs', 'secrets', 'configs'].includes(type)
  const isPlain = mount.more.every((option) => harmlessOptions.test(option)) && !isDriven(given, mount)
  if (!isKnown || !isPlain)
    return failed(given, 'host', `${what} at ${target} may be any directory of the host`, without)
  return warned(given, 'host', `${what} at ${target} is no part of the stack`, without)
}

/** A volume whose definition says more than how it is called can be a directory of the host. */
function isDriven({ compose }: ComposeCase, { type, source = '' }: ReadMount): boolean {
  if (type !== 'volume') return false
  const keys = Object.entries(record(compose.volumes[source])).filter(([, value]) => !isNothing(value))
  return keys.some(([key]) => !['name', 'labels'].includes(key))
}

const data: Judge = (given) => {
  const { spec, has, compose } = given
  const found = at(has.mounts, inContainer.data)
  const wanted = at(given.wanted.mounts, inContainer.data)
  const line = `volumes: ["${wanted?.source}:${inContainer.data}"], and volumes.${wanted?.source}.name: ${spec.service.volume}`
  const problem = dataProblem(found, compose.volumes, spec.service.volume)
  if (problem !== undefined) return [failed(given, 'data', problem, line)]
  if (found?.type === 'bind')
    return [warned(given, 'data', `${found.source} of the host is ${inContainer.data}, not the volume`, line)]
  return orOk([], 'data', `volume ${spec.service.volume} at ${inContainer.data}`)
}

function dataProblem(
  found: ReadMount | undefined,
  volumes: Readonly<Record<string, unknown>>,
  volume: string,
): string | undefined {
  const where = inContainer.data
  if (found === undefined || (found.type === 'volume' && found.source === undefined))
    return `no named volume at ${where}: the data is lost with the container`
  if (found.type === 'tmpfs') return `${where} is in memory: the data is lost with the container`
  if (found.readOnly) return `the server may not write ${where}`
  if (found.type !== 'volume') return undefined
  // Without a name of its own it is called after the project.
  const { name, external } = record(volumes[found.source ?? ''])
  const is = textOf(name) || (flag(external) === true ? found.source : undefined)
  if (is === volume) return undefined
  const called = is ?? 'that is named after the project'
  return `${where} is the volume ${called}, not ${volume}: the server starts with other data, or none`
}

export const mountJudges: readonly Judge[] = [files, exposed, data]
