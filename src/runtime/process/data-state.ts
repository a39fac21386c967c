/** What lies in a data directory, judged so that no start silently empties an instance (facts §4). */
import { readdir, readFile, stat } from 'node:fs/promises'
import type { Directive } from '../../domain/conf/directive.ts'
import { splitArgs } from '../../domain/conf/split-args.ts'
import type { DataState } from '../../domain/plan/spec.ts'
import { ifMissing } from './files.ts'
import { opens, type RdbHeader, readRdbHeader } from './rdb-header.ts'

/** Names of the persistence files; valkey's defaults where the conf says nothing. */
export type DataNames = { rdb: string; aofDir: string; aof: string }

export function dataNames(conf: readonly Directive[]): DataNames {
  const value = (name: string, fallback: string) => conf.findLast((d) => d.name === name)?.args[0] ?? fallback
  return {
    rdb: value('dbfilename', 'dump.rdb'),
    aofDir: value('appenddirname', 'appendonlydir'),
    aof: value('appendfilename', 'appendonly.aof'),
  }
}

const unsafe = (reason: string): DataState => ({ kind: 'unsafe', reason })

/**
 * @param engineVersion of the engine that would open the data
 * @returns `empty` also where the directory is missing
 */
export async function dataState(dataDir: string, names: DataNames, engineVersion: string): Promise<DataState> {
  const aofDir = `${dataDir}/${names.aofDir}`
  const files = (await readdir(aofDir).catch(ifMissing)) ?? []
  if (files.includes(`${names.aof}.manifest`)) return aofState(aofDir, `${names.aof}.manifest`, engineVersion)
  const left = await substance(aofDir, files)
  if (left.length > 0) {
    return unsafe(
      `${names.aofDir} holds ${left.join(', ')} but no ${names.aof}.manifest: the server would start empty and overwrite them`,
    )
  }
  const header = await readRdbHeader(`${dataDir}/${names.rdb}`)
  if (header === undefined) return { kind: 'empty' }
  const refused = whyRefused(names.rdb, header, engineVersion)
  return refused ?? { kind: 'rdb-only', writtenBy: header === 'unreadable' ? null : header.writtenBy }
}

/**
 * Files of an AOF directory without a manifest that could hold data. A first start that was killed before it wrote the
 * manifest leaves a base without a key and an increment without a byte; a rewrite that was killed leaves `temp-` files.
 */
async function substance(dir: string, files: string[]): Promise<string[]> {
  const kept = await Promise.all(
    files
      .filter((file) => !file.startsWith('temp-'))
      .map(async (file) => {
        const path = `${dir}/${file}`
        if ((await stat(path).catch(ifMissing))?.size === 0) return []
        const header = file.endsWith('.base.rdb') ? await readRdbHeader(path) : 'unreadable'
        return header === undefined || (header !== 'unreadable' && header.blank) ? [] : [file]
      }),
  )
  return kept.flat()
}

function whyRefused(file: string, header: RdbHeader | 'unreadable', engineVersion: string): DataState | undefined {
  if (header === 'unreadable') return unsafe(`${file} does not begin like an RDB file`)
  if (opens(engineVersion, header)) return undefined
  const by = header.writtenBy === null ? 'a newer engine' : `Valkey ${header.writtenBy}`
  return unsafe(`${file} was written by ${by} in format ${header.format}, which Valkey ${engineVersion} cannot open`)
}

/**
 * A running server replaces its manifest by rename and then deletes the files that only the old one named: a missing
 * file counts only where the manifest is still the one that names it.
 */
async function aofState(dir: string, manifest: string, engineVersion: string): Promise<DataState> {
  for (;;) {
    const text = (await readFile(`${dir}/${manifest}`, 'utf8').catch(ifMissing)) ?? ''
    const state = await judgeManifest(dir, manifest, text, engineVersion)
    if (state.kind !== 'unsafe' || text === ((await readFile(`${dir}/${manifest}`, 'utf8').catch(ifMissing)) ?? ''))
      return state
  }
}

async function judgeManifest(dir: string, manifest: string, text: string, engineVersion: string): Promise<DataState> {
  const entries = parseManifest(text)
  if (!entries || entries.length === 0) return unsafe(`${manifest} cannot be read as a manifest`)
  // History is deleted when the server comes round to it, and loads nothing.
  const needed = entries.filter(({ type }) => type !== 'h')
  const sizes = await Promise.all(needed.map(({ file }) => stat(`${dir}/${file}`).catch(ifMissing)))
  const missing = needed.filter((_, i) => !sizes[i]).map(({ file }) => file)
  if (missing.length > 0) return unsafe(`${manifest} names ${missing.join(', ')}, which is not there`)
  const base = needed.find(({ type, file }) => type === 'b' && file.endsWith('.rdb'))
  if (!base) return { kind: 'aof', writtenBy: null }
  const header = await readRdbHeader(`${dir}/${base.file}`)
  if (header === undefined) return unsafe(`${manifest} names ${base.file}, which is not there`)
  const refused = whyRefused(base.file, header, engineVersion)
  return refused ?? { kind: 'aof', writtenBy: header === 'unreadable' ? null : header.writtenBy }
}

/** `file NAME seq N type b|i|h` a line; undefined where a line is none. */
function parseManifest(text: string): { file: string; type: string }[] | undefined {
  const entries: { file: string; type: string }[] = []
  for (const line of text.split('\n').filter((l) => l !== '' && !l.startsWith('#'))) {
    const words = splitArgs(line)
    if (!Array.isArray(words)) return undefined
    const pairs = new Map(words.flatMap((word, i) => (i % 2 === 0 ? [[word, words[i + 1]] as const] : [])))
    const file = pairs.get('file')
    const type = pairs.get('type')
    if (file === undefined || file.includes('/') || type === undefined || !'bih'.includes(type)) return undefined
    entries.push({ file, type })
  }
  return entries
}
