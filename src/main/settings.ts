/** Reads and checks every setting at once: flag, then environment, then config file, then default. */
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { nearestName } from '../domain/nearest-name.ts'
import { type Machine, type Setting, type SettingName, type Settings, settingTable } from './setting-table.ts'

/** One thing to mend: where the value came from, what is wrong with it and what to write instead. */
export type SettingError = { setting: string; source: string; message: string; fix: string }

export type SettingSources = {
  /** By setting name, as the command line gave them: text, or a boolean. */
  flags: Readonly<Record<string, unknown>>
  machine: Machine
  /** The file's text, undefined where there is none. @throws what reading it throws */
  readConfigFile: (path: string) => string | undefined
}

type Found = { value: unknown; source: string; baseDir: string }
type FileValues = Map<string, unknown>

const table = Object.entries(settingTable) as [SettingName, Setting][]

/** @returns every setting, or every error: never only the first. */
export function loadSettings(sources: SettingSources): { ok: Settings } | { errors: SettingError[] } {
  const errors: SettingError[] = []
  const early = new Map<SettingName, unknown>()
  for (const name of ['home', 'config'] as const) early.set(name, valueOf(name, sources, null, '', errors))
  const home = (early.get('home') as string | undefined) ?? ''
  const file = errors.length > 0 ? null : readFile(home, early.get('config') as string | null, sources, errors)
  const settings: Record<string, unknown> = {}
  for (const [name] of table)
    settings[name] = early.has(name) ? early.get(name) : valueOf(name, sources, file, home, errors)
  settings['config'] = file?.path ?? null
  errors.push(...contradictions(settings as Partial<Settings>))
  return errors.length > 0 ? { errors } : { ok: settings as Settings }
}

type ConfigFile = { path: string; values: FileValues }

function readFile(
  home: string,
  given: string | null,
  sources: SettingSources,
  errors: SettingError[],
): ConfigFile | null {
  const path = given ?? join(home, 'config.yaml')
  const bad = (message: string, fix: string) => {
    errors.push({ setting: 'config', source: path, message, fix })
    return null
  }
  let text: string | undefined
  try {
    text = sources.readConfigFile(path)
  } catch (error) {
    return bad(`cannot be read: ${(error as Error).message}`, 'make it readable to the user that runs the platform')
  }
  if (text === undefined)
    return given === null ? null : bad('does not exist', 'name an existing file, or leave --config out')
  const document = parseDocument(text)
  const [error] = document.errors
  if (error) return bad(`is not YAML: ${error.message.split('\n')[0]}`, 'mend that line')
  const content: unknown = document.toJS({ mapAsMap: true }) ?? new Map()
  if (!(content instanceof Map)) return bad('is not a map of settings', 'write one `key: value` on each line')
  for (const key of content.keys()) if (!fileKeys().includes(String(key))) errors.push(unknownKey(String(key), path))
  return { path, values: content as FileValues }
}

const fileKeys = () => table.flatMap(([, setting]) => (setting.key === null ? [] : [setting.key]))

function unknownKey(key: string, path: string): SettingError {
  const nearest = nearestName(key, fileKeys())
  const fix =
    nearest === undefined ? 'take it out; docs/reference/config.md lists every setting' : `did you mean ${nearest}?`
  return { setting: key, source: path, message: 'is not a setting', fix }
}

function valueOf(
  name: SettingName,
  sources: SettingSources,
  file: ConfigFile | null,
  home: string,
  errors: SettingError[],
): unknown {
  const setting: Setting = settingTable[name]
  const found = find(name, setting, sources, file)
  if (found === undefined) return setting.defaultValue(sources.machine, home)
  const result = setting.schema(z).safeParse(readText(setting, found, sources.machine))
  if (result.success) return result.data
  const message = result.error.issues.map((issue) => issue.message).join('; ')
  const fix = `expected: ${setting.description} (default ${setting.defaultText.replaceAll('`', '')})`
  errors.push({
    setting: setting.key ?? setting.flag,
    source: found.source,
    message: `${shown(found.value)}: ${message}`,
    fix,
  })
  return undefined
}

const shown = (value: unknown) => (JSON.stringify(value) ?? String(value)).slice(0, 80)

function find(
  name: SettingName,
  setting: Setting,
  sources: SettingSources,
  file: ConfigFile | null,
): Found | undefined {
  const { flags, machine } = sources
  if (flags[name] !== undefined) return { value: flags[name], source: `--${setting.flag}`, baseDir: machine.cwd }
  const text = machine.env[setting.env]
  // An empty variable is how shells and unit files unset one.
  if (text !== undefined && text !== '') return { value: text, source: setting.env, baseDir: machine.cwd }
  const value = setting.key === null ? undefined : file?.values.get(setting.key)
  if (file === null || value === undefined || value === null) return undefined
  return { value, source: `${setting.key} in ${file.path}`, baseDir: dirname(file.path) }
}

const booleanWords: Record<string, boolean> = {
  true: true,
  yes: true,
  on: true,
  1: true,
  false: false,
  no: false,
  off: false,
  0: false,
}

/** What cannot be read as its kind stays as it is: the schema then says what it should be. */
function readText(setting: Setting, found: Found, machine: Machine): unknown {
  const { value } = found
  if (typeof value !== 'string') return value
  switch (setting.kind) {
    case 'text':
      return value
    case 'boolean':
      return booleanWords[value.toLowerCase()] ?? value
    case 'int':
    case 'number':
      return /^[+-]?\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : value
    case 'path':
      if (value === '' || value === setting.word) return value
      if (value === '~' || value.startsWith('~/')) return join(machine.homeDir, value.slice(1))
      return isAbsolute(value) ? resolve(value) : resolve(found.baseDir, value)
  }
}

const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

/** What is right alone and wrong together; settings that are wrong alone are undefined and left out. */
function contradictions(settings: Partial<Settings>): SettingError[] {
  const errors: SettingError[] = []
  const add = (setting: string, message: string, fix: string) =>
    errors.push({ setting, source: 'all settings together', message, fix })
  const { host, port, tlsCertFile, tlsKeyFile, portMin, portMax } = settings
  const tlsKnown = tlsCertFile !== undefined && tlsKeyFile !== undefined
  if (tlsKnown && (tlsCertFile === null) !== (tlsKeyFile === null))
    add(
      'tls_cert_file',
      'a certificate needs its key, and a key its certificate',
      'give both tls_cert_file and tls_key_file, or neither',
    )
  if (tlsKnown && host !== undefined && !loopback.test(host) && (tlsCertFile === null || tlsKeyFile === null))
    add(
      'host',
      `${host} is not loopback, and the API is not served without TLS there`,
      'give tls_cert_file and tls_key_file, or listen on 127.0.0.1',
    )
  if (portMin === undefined || portMax === undefined) return errors
  if (portMin > portMax) add('port_min', `${portMin} is above port_max ${portMax}`, 'swap them')
  else if (port !== undefined && port >= portMin && port <= portMax)
    add('port', `${port} lies within the instances' ports ${portMin}-${portMax}`, 'choose a port outside of them')
  return errors
}
