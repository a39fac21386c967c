/** `valkeep doctor`: looks at the machine, judges, and says what to fix. Changes nothing. */
import { execFile } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import type { Context, LocalSettings } from './context.ts'
import * as checks from './doctor-checks.ts'
import type { FileFacts } from './doctor-checks.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { showFindings } from './findings.ts'
import { findLocalPlatform } from './local-platform.ts'
import type { Finding } from '../domain/finding.ts'

/** The program's file: as given, or the first on PATH; null where there is none that can be run. */
function findProgram(name: string, pathVariable: string | undefined): string | null {
  const candidates = isAbsolute(name)
    ? [name]
    : (pathVariable ?? '')
        .split(delimiter)
        .filter(isAbsolute)
        .map((dir) => join(dir, name))
  return candidates.find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** What it prints on --version; empty where it fails. */
const versionOutput = (file: string | null): Promise<string> =>
  file === null
    ? Promise.resolve('')
    : new Promise((resolve) => {
        execFile(file, ['--version'], { timeout: 5000, encoding: 'utf8' }, (error, stdout) =>
          resolve(error ? '' : stdout),
        )
      })

function fileFacts(path: string): FileFacts {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    return stat === undefined ? null : { path, uid: stat.uid, mode: stat.mode }
  } catch {
    return { path, uid: 'unseen', mode: 0 }
  }
}

/** null where listening works. */
const listenError = (host: string, port: number): Promise<string | null> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  })

/** Content of a file of the kernel; null where this system has none. */
function kernelFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

const nearestExisting = (path: string): string =>
  existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))

function judgeHome(home: string, uid: number): Finding {
  const parent = nearestExisting(home)
  const finding = checks.judgePrivate('data directory', fileFacts(home), uid, `${home} will be made at the first start`)
  if (finding.status !== 'ok') return finding
  try {
    accessSync(parent, constants.W_OK | constants.X_OK)
    return finding
  } catch {
    return {
      check: 'data directory',
      status: 'fail',
      detail: `${parent} is not writable`,
      fix: 'Choose another one: --home, VALKEEP_HOME.',
    }
  }
}

function isReadable(dir: string): boolean {
  try {
    accessSync(dir, constants.R_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

function newestWrite(home: string): number | null {
  if (!isReadable(home)) return null
  const times = readdirSync(home).map((name) => statSync(join(home, name), { throwIfNoEntry: false })?.mtimeMs ?? 0)
  return times.length === 0 ? null : Math.max(...times)
}

/** Everything that can be checked, given settings that are right. */
async function examine(context: Context, settings: LocalSettings): Promise<Finding[]> {
  const { home, host, port, kekFile, runtimeDir, portMin, portMax } = settings
  const uid = process.getuid?.() ?? 0
  const platform = findLocalPlatform(home)
  const server = findProgram(settings.valkeyServer ?? 'valkey-server', context.childEnv['PATH'])
  const cli = findProgram('valkey-cli', context.childEnv['PATH'])
  const key = (check: string, file: string) =>
    checks.judgePrivate(check, fileFacts(file), uid, 'made at the first start')
  const range = kernelFile('/proc/sys/net/ipv4/ip_local_port_range')
  const limits = kernelFile('/proc/self/limits')
  const overcommit = kernelFile('/proc/sys/vm/overcommit_memory')
  const hugePages = kernelFile('/sys/kernel/mm/transparent_hugepage/enabled')
  const disk = await statfs(nearestExisting(home))
  return [
    checks.judgeServer(server, await versionOutput(server)),
    checks.judgeCli(cli, await versionOutput(cli)),
    judgeHome(home, uid),
    key('key-encryption key', kekFile),
    key('admin key', join(home, 'admin.key')),
    checks.judgePrivate('runtime directory', fileFacts(runtimeDir), uid, `${runtimeDir} will be made`),
    checks.judgePort(host, port, platform === null ? await listenError(host, port) : null, platform?.pid ?? null),
    ...(range === null ? [] : [checks.judgePortRange(portMin, portMax, range)]),
    ...(limits === null ? [] : [checks.judgeOpenFiles(limits)]),
    ...(overcommit === null ? [] : [checks.judgeOvercommit(overcommit)]),
    ...(hugePages === null ? [] : [checks.judgeHugePages(hugePages)]),
    checks.judgeDisk(nearestExisting(home), disk.bavail * disk.bsize),
    checks.judgeClock(Date.now(), newestWrite(home)),
  ]
}

/** @throws CliError (failed) where something must be fixed */
export async function doctor(context: Context, flags: { json?: boolean }): Promise<void> {
  const findings = [checks.judgeNode(process.version)]
  try {
    findings.push(...(await examine(context, await context.local.settings(flags))))
  } catch (error) {
    if (!(error instanceof CliError) || error.exitCode !== exitCodes.usage) throw error
    const fix = 'Mend what is named; docs/reference/config.md lists every setting.'
    findings.push(...error.reasons.map((detail): Finding => ({ check: 'settings', status: 'fail', detail, fix })))
  }
  showFindings(context, flags.json ?? false, findings, 'valkeep doctor')
}
