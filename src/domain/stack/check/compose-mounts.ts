/** What the container sees of the host: the stack's files, each where the server looks for it, and nothing else. */
import type { Finding } from '../../finding.ts'
import { certificateFiles, inContainer } from '../places.ts'
import { type ComposeCase, failed, type Judge, orOk, warned } from './compose-case.ts'
import { type ReadMount, record, textOf } from './compose-read.ts'

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
  const { has, wanted, absolute, places } = given
  const caKey = `${places.certs}/${certificateFiles.caKey}`
  const expected = new Set(wanted.mounts.map(({ target }) => target))
  const findings = has.mounts.flatMap((mount): Finding[] => {
    if (!isFile(mount) || mount.source === undefined) return []
    const source = absolute(mount.source)
    const without = `no mount of ${mount.source}`
    if (source.endsWith('docker.sock') || sockets.some((socket) => covers(source, socket)))
      return [
        failed(
          given,
          'host',
          `${mount.source} brings docker’s socket: the container could do anything to the host`,
          without,
        ),
      ]
    if (covers(source, caKey))
      return [
        failed(
          given,
          'host',
          `${mount.source} brings ${certificateFiles.caKey}: whoever has it can make certificates`,
          without,
        ),
      ]
    if (covers(source, places.secrets))
      return [failed(given, 'host', `${mount.source} brings the password of every user`, without)]
    if (expected.has(mount.target)) return []
    return [warned(given, 'host', `${mount.source} at ${mount.target} is no part of the stack`, without)]
  })
  return orOk(findings, 'host', 'neither ca.key nor docker’s socket')
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
  const is = textOf(name) || (external === true ? found.source : undefined)
  if (is === volume) return undefined
  const called = is ?? 'that is named after the project'
  return `${where} is the volume ${called}, not ${volume}: the server starts with other data, or none`
}

export const mountJudges: readonly Judge[] = [files, exposed, data]
