/** Whether a stack's valkey.conf keeps what a stack promises, and is what stack.yaml says. */
import type { Directive } from '../../conf/directive.ts'
import { ConfSyntaxError, parseConf } from '../../conf/parse.ts'
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { ioThreads, stackConf, tooManyIoThreads } from '../conf.ts'
import type { StackSpec } from '../spec.ts'
import { confMeanings, defaultMeanings, type Said } from './conf-meaning.ts'
import type { Names } from './facts.ts'

const CHECK = 'valkey.conf'

/** Directives whose difference breaks a promise, and how; the rest are a matter of taste or of speed. */
const promises: Readonly<Record<string, string>> = {
  port: 'the server takes connections without TLS',
  'tls-port': 'clients and the health check find nobody at port 6379',
  'tls-cert-file': 'it is not the file that the compose file mounts',
  'tls-key-file': 'it is not the file that the compose file mounts',
  'tls-ca-cert-file': 'it is not the file that the compose file mounts',
  'tls-auth-clients': 'clients need no certificate',
  'tls-protocols': 'clients may be served over a TLS that is broken',
  bind: 'the server listens where it should not, or not where it should',
  'protected-mode': 'a server without passwords would answer everybody',
  aclfile: 'the users are not those of the ACL file',
  dir: 'the data is not in the volume',
  appendonly: 'a restart loses what was written since the last snapshot',
  appendfilename: 'the server starts with no data',
  dbfilename: 'the server starts with no data',
}

/** What stack.yaml never says, and must not stand in the file. */
const forbidden: Readonly<Record<string, string>> = {
  requirepass: 'the password of a user default that must stay off, and who can read the file knows it',
  user: 'beside an aclfile the server does not start on it',
  include: 'what it brings in is not checked, and not mounted',
  loadmodule: 'a module can do what no ACL holds back',
  replicaof: 'the server would drop its data for another one’s',
  slaveof: 'the server would drop its data for another one’s',
  unixsocket: 'a way in without TLS',
  'tls-ca-cert-dir': 'it trusts further authorities',
  'enable-debug-command': 'DEBUG can end the server',
  'enable-module-command': 'a module can do what no ACL holds back',
  'enable-protected-configs': 'where data is written could be changed while it runs',
  daemonize: 'the container ends at once, again and again',
}
const harmless = new Set(['no', 'no one', ''])

/** @param text of valkey.conf; undefined where it is missing or cannot be read, which is another finding */
export function judgeConf(spec: StackSpec, text: string | undefined, names: Names): Finding[] {
  if (text === undefined) return []
  const path = names.shown(spec.files.config)
  const anew = `Mend the line; or write the file anew: ${names.command('conf --force')}`
  const comment = lineWithComment(text)
  if (comment !== undefined)
    return [
      fail(
        CHECK,
        `${path}: line ${comment} has a comment behind a directive, and the server does not start on it`,
        anew,
      ),
    ]
  try {
    return compare(spec, parseConf(text), path, names)
  } catch (error) {
    if (!(error instanceof ConfSyntaxError)) throw error
    return [fail(CHECK, `${path}: ${error.message}, and the server does not start on it`, anew)]
  }
}

/** A `#` that is neither quoted nor the first of its line. */
function lineWithComment(text: string): number | undefined {
  const lines = text.split('\n').map((line) => line.trim())
  const at = lines.findIndex(
    (line) => !line.startsWith('#') && /\s#/.test(line.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\')*'/g, '""')),
  )
  return at === -1 ? undefined : at + 1
}

function compare(spec: StackSpec, observed: readonly Directive[], path: string, names: Names): Finding[] {
  const strange = observed.find(({ name, args }) => !/^[a-z0-9-]+$/.test(name) || args.length === 0)
  const anew = names.command('conf --force')
  if (strange !== undefined)
    return [
      fail(CHECK, `${path} has a line that is no directive with a value, and the server does not start on it`, anew),
    ]
  const [has, wanted] = [confMeanings(observed), confMeanings(stackConf(spec))]
  const findings = [
    ...[...wanted].flatMap(([name, meaning]) => different(spec, name, has.get(name), meaning, path, anew)),
    ...[...has].flatMap(([name, meaning]) => (wanted.has(name) ? [] : extra(name, meaning, path, anew))),
    ...twice(observed, path, anew),
  ]
  return [
    ...(findings.length > 0 ? findings : [ok(CHECK, 'as stack.yaml says')]),
    judgeThreads(spec, has.get('io-threads')?.meaning, path, names),
    ...judgeTimeout(has.get('timeout')?.meaning ?? '0'),
  ]
}

/** One directive that stack.yaml has, against what the file makes of it. */
function different(
  { service }: StackSpec,
  name: string,
  written: Said | undefined,
  wanted: Said,
  path: string,
  anew: string,
): Finding[] {
  const has = written ?? defaultMeanings.get(name)
  // io-threads is judged by itself, and io-threads-do-reads does nothing since 8.0.
  if (has?.meaning === wanted.meaning || name.startsWith('io-threads')) return []
  const [kind = name, what = ''] = name.split(' ')
  if (kind === 'rename-command') {
    const still =
      has === undefined ? `leaves ${what.toUpperCase()} in place` : `gives ${what.toUpperCase()} another name`
    return [fail(CHECK, `${path} ${still}, and nobody should have it`, anew)]
  }
  const said = written === undefined ? `does not say ${name}` : `has ${name} ${written.text}`
  const detail = `${path} ${said} where stack.yaml wants ${wanted.text}`
  const so = promises[kind]
  if (so !== undefined) return [fail(CHECK, `${detail}: ${so}`, anew)]
  const isTooMuch = name === 'maxmemory' && !fitsMemory(has?.meaning, service.memory_mb)
  if (isTooMuch)
    return [
      fail(CHECK, `${detail}: the kernel ends the server at ${service.memory_mb} MB, before it evicts anything`, anew),
    ]
  return [warn(CHECK, detail, `If it is meant, say it in stack.yaml; else: ${anew}`)]
}

/** @param bytes as text; 0 is no limit */
function fitsMemory(bytes: string | undefined, megabytes: number): boolean {
  const limit = Number(bytes ?? 0)
  return limit > 0 && limit < megabytes * 1_048_576
}

/** What stack.yaml has nothing of. The value may be a secret, and is not shown. */
function extra(name: string, { meaning }: Said, path: string, anew: string): Finding[] {
  const [kind = name, what = ''] = name.split(' ')
  const so = forbidden[kind]
  if (so !== undefined)
    return harmless.has(meaning)
      ? []
      : [fail(CHECK, `${path} has ${kind}: ${so}`, `Take it out; or write the file anew: ${anew}`)]
  // A default that is said means nothing more.
  if (kind === 'io-threads-do-reads' || defaultMeanings.get(name)?.meaning === meaning) return []
  const title = kind === 'rename-command' ? `${kind} ${what.toUpperCase()}` : name
  return [warn(CHECK, `${path} has ${title}, of which stack.yaml knows nothing`, `If it is not meant: ${anew}`)]
}

/** Renaming a command that has lost its name already is fatal. */
function twice(observed: readonly Directive[], path: string, anew: string): Finding[] {
  const renamed = observed.flatMap(({ name, args }) =>
    name === 'rename-command' ? [args[0]?.toUpperCase() ?? ''] : [],
  )
  const repeated = renamed.find((name, i) => renamed.indexOf(name) !== i)
  if (repeated === undefined) return []
  return [fail(CHECK, `${path} renames a command twice, and the server does not start on it`, anew)]
}

function judgeThreads(spec: StackSpec, written: string | undefined, path: string, { command }: Names): Finding {
  const threads = Number(written ?? 1)
  const { cpus } = spec.service
  const wanted = ioThreads(spec)
  if (tooManyIoThreads(threads, cpus))
    return warn(
      'io-threads',
      `${threads} I/O threads on ${cpus} CPU: they take turns with the main thread (measured on 1.0 CPU: 43,000 SET/s with 1, 3,600 with 4)`,
      `In stack.yaml: server.io_threads: auto. Then: ${command('conf --force')}`,
    )
  if (threads !== wanted)
    return warn(
      'io-threads',
      `${path} has ${threads} where stack.yaml wants ${wanted}`,
      `If it is meant, say it in stack.yaml; else: ${command('conf --force')}`,
    )
  return ok('io-threads', `${threads} on ${cpus} CPU`)
}

function judgeTimeout(seconds: string): Finding[] {
  if (!/^\d+$/.test(seconds)) return []
  if (Number(seconds) === 0) return [ok('timeout', '0: idle connections stay open')]
  return [
    ok(
      'timeout',
      `${seconds} s: a client that holds an idle connection longer has to PING, or server.timeout_s has to be 0 in stack.yaml`,
    ),
  ]
}
