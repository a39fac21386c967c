/** The volumes of a rendered pod as directories of this machine, filled as the kubelet fills them. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import type { Manifest } from './chart.ts'

type Items = { key: string; path: string }[]
/** As far as the chart has them; a container's volume that is none of them is a claim. */
export type Volume = {
  name: string
  configMap?: { name: string; defaultMode?: number }
  secret?: { secretName: string; defaultMode?: number }
  projected?: { defaultMode?: number; sources: { secret?: { name: string; items: Items } }[] }
  emptyDir?: object
}

type Files = Map<string, { bytes: Buffer; mode: number }>
/** Objects of a release by kind and name: `Secret/x`. */
export type Objects = ReadonlyMap<string, Manifest>

function find(objects: Objects, kind: string, name: string): Record<string, string> {
  const object = objects.get(`${kind}/${name}`)
  if (object === undefined) throw new Error(`there is no ${kind} ${name}`)
  return object.data ?? {}
}

/** What a volume of objects holds; undefined for one that scripts write into. */
function filesOf(volume: Volume, objects: Objects): Files | undefined {
  const { configMap, secret, projected } = volume
  const mode = (configMap ?? secret ?? projected)?.defaultMode ?? 0o644
  const files: Files = new Map()
  const add = (name: string, text: string | undefined, encoding: BufferEncoding) => {
    if (text === undefined) throw new Error(`the volume ${volume.name} has no ${name}`)
    files.set(name, { bytes: Buffer.from(text, encoding), mode })
  }
  if (configMap !== undefined)
    for (const [name, text] of Object.entries(find(objects, 'ConfigMap', configMap.name))) add(name, text, 'utf8')
  else if (secret !== undefined)
    for (const [name, text] of Object.entries(find(objects, 'Secret', secret.secretName))) add(name, text, 'base64')
  else if (projected !== undefined)
    for (const source of projected.sources)
      for (const { key, path } of source.secret?.items ?? [])
        add(path, find(objects, 'Secret', source.secret?.name ?? '')[key], 'base64')
  else return undefined
  return files
}

/** Lays files into a directory: all of them change at once, by the swap of a link. */
function fill(dir: string, files: Files): void {
  const [link, next] = [join(dir, '..data'), join(dir, '..data_tmp')]
  const before = existsSync(link) ? readlinkSync(link) : undefined
  const version = mkdtempSync(join(dir, '..version-'))
  for (const [name, { bytes, mode }] of files) {
    writeFileSync(join(version, name), bytes)
    chmodSync(join(version, name), mode)
  }
  symlinkSync(basename(version), next)
  renameSync(next, link)
  for (const name of files.keys()) if (!existsSync(join(dir, name))) symlinkSync(join('..data', name), join(dir, name))
  if (before !== undefined) rmSync(join(dir, before), { recursive: true })
}

/**
 * Makes the volumes of a pod, or brings those of a running one up to date.
 * @param dir of the pod; what scripts wrote there stays
 * @returns their directories by name
 */
export function layVolumes(dir: string, volumes: readonly Volume[], objects: Objects): Map<string, string> {
  return new Map(
    volumes.map((volume) => {
      const place = join(dir, volume.name)
      mkdirSync(place, { recursive: true })
      const files = filesOf(volume, objects)
      if (files !== undefined) fill(place, files)
      return [volume.name, place]
    }),
  )
}
