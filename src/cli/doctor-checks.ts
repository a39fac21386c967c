/** What `valkeep doctor` judges: each check a pure function of what was found on the machine. */
import { fail, type Finding, ok, warn } from '../domain/finding.ts'

const major = (version: string) => Number(/^v?(\d+)/.exec(version)?.[1] ?? 0)

/** @param version as process.version says it */
export const judgeNode = (version: string): Finding =>
  major(version) >= 24 ? ok('node', version) : fail('node', `${version} is too old`, 'Install Node 24 or newer.')

/** The version in what `valkey-server --version` and `valkey-cli --version` print; null where it is no Valkey. */
export const valkeyVersion = (output: string): string | null =>
  /valkey/i.test(output) ? (/(?:v=|valkey-cli )(\d+\.\d+\.\d+)/.exec(output)?.[1] ?? null) : null

const installValkey =
  'Debian 12: apt-get install -t bookworm-backports valkey-server; Fedora: dnf install valkey; Alpine: apk add valkey; macOS: brew install valkey. Or set VALKEY_SERVER.'

/** @param file null: not found; @param output of --version */
export function judgeServer(file: string | null, output: string): Finding {
  const version = valkeyVersion(output)
  if (file === null) return fail('valkey-server', 'not found on PATH', installValkey)
  if (version === null) return fail('valkey-server', `${file} is not Valkey`, installValkey)
  if (major(version) < 8)
    return fail('valkey-server', `${version} at ${file} is too old`, `Version 8.0 or newer is needed. ${installValkey}`)
  return ok('valkey-server', `${version} at ${file}`)
}

export function judgeCli(file: string | null, output: string): Finding {
  const fix = 'Only valkeep instance connect needs it. Debian: apt-get install valkey-tools.'
  if (file === null) return warn('valkey-cli', 'not found on PATH', fix)
  const version = valkeyVersion(output)
  return version === null
    ? warn('valkey-cli', `${file} is not Valkey's`, fix)
    : ok('valkey-cli', `${version} at ${file}`)
}

/** null: it does not exist; `unseen`: this user may not look. */
export type FileFacts = { path: string; uid: number | 'unseen'; mode: number } | null

const octal = (mode: number) => (mode & 0o777).toString(8).padStart(4, '0')

/** A file or directory that only its owner, the person who runs this, may read. @param facts null: it does not exist */
export function judgePrivate(check: string, facts: FileFacts, uid: number, absent: string): Finding {
  if (facts === null) return ok(check, absent)
  const { path, mode } = facts
  if (facts.uid === 'unseen')
    return fail(check, `${path} cannot be looked at`, 'Run this as the user that runs the platform.')
  if (facts.uid !== uid)
    return fail(
      check,
      `${path} belongs to user ${facts.uid}, not to ${uid}`,
      `chown -R ${uid} ${path}, or run the platform as its owner.`,
    )
  if ((mode & 0o077) !== 0) return fail(check, `${path} is open to others (${octal(mode)})`, `chmod go-rwx ${path}`)
  return ok(check, `${path} (${octal(mode)})`)
}

/** @param error code of the failed listen, null where it worked; @param platformPid of the running platform */
export function judgePort(host: string, port: number, error: string | null, platformPid: number | null): Finding {
  const where = `${host}:${port}`
  if (platformPid !== null) return ok('port', `the platform runs (process ${platformPid})`)
  if (error === null) return ok('port', `${where} is free`)
  if (error === 'EADDRINUSE')
    return fail(
      'port',
      `${where} is taken by another program`,
      'End that program, or choose another port: --port, VALKEEP_PORT.',
    )
  return fail(
    'port',
    `cannot listen on ${where}: ${error}`,
    'Choose an address of this machine (--host) and a port above 1023 (--port).',
  )
}

/** @param range content of /proc/sys/net/ipv4/ip_local_port_range */
export function judgePortRange(portMin: number, portMax: number, range: string): Finding {
  const [low = 0, high = 0] = range.trim().split(/\s+/).map(Number)
  const mine = `${portMin}-${portMax}`
  if (high === 0 || portMax < low || portMin > high) return ok('instance ports', mine)
  return warn(
    'instance ports',
    `${mine} overlaps the system's ephemeral ports ${low}-${high}: other programs may take them`,
    'Choose port_min and port_max outside of them.',
  )
}

/** @param limits content of /proc/self/limits */
export function judgeOpenFiles(limits: string): Finding {
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? []
  if (hard === undefined) return ok('open files', 'unknown on this system')
  const text = `soft ${soft}, hard ${hard}`
  // 10,000 clients, Valkey's default, and 32 files of its own.
  if (hard === 'unlimited' || Number(hard) >= 10_032) return ok('open files', text)
  return warn(
    'open files',
    `${text}: an instance cannot have 10000 clients`,
    'Raise the hard limit: LimitNOFILE= of the service, or nofile in /etc/security/limits.conf.',
  )
}

/** @param value content of /proc/sys/vm/overcommit_memory */
export const judgeOvercommit = (value: string): Finding =>
  value.trim() === '1'
    ? ok('memory overcommit', 'vm.overcommit_memory is 1')
    : warn(
        'memory overcommit',
        `vm.overcommit_memory is ${value.trim()}: saving may fail while an instance uses much memory`,
        'As root: sysctl vm.overcommit_memory=1, and the same line in /etc/sysctl.d/.',
      )

/** @param value content of /sys/kernel/mm/transparent_hugepage/enabled */
export const judgeHugePages = (value: string): Finding =>
  value.includes('[always]')
    ? warn(
        'huge pages',
        'transparent huge pages are always on: slower and more memory while saving',
        'As root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled',
      )
    : ok('huge pages', `transparent huge pages: ${/\[(\w+)\]/.exec(value)?.[1] ?? 'unknown'}`)

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`

export function judgeDisk(path: string, freeBytes: number): Finding {
  const text = `${gib(freeBytes)} free at ${path}`
  const fix = 'Free some space, or move the data directory: --home, VALKEEP_HOME.'
  if (freeBytes < 2 ** 27) return fail('disk', text, fix)
  return freeBytes < 2 ** 30 ? warn('disk', text, fix) : ok('disk', text)
}

/** @param newest when the data directory was last written, in ms since 1970; null: never */
export function judgeClock(now: number, newest: number | null): Finding {
  const date = new Date(now).toISOString()
  const fix = 'Set the clock (timedatectl set-ntp true): certificates depend on it.'
  if (now < Date.UTC(2026, 0)) return fail('clock', `${date} is in the past`, fix)
  if (newest !== null && newest > now + 60_000)
    return fail('clock', `${date} is before the last write here, ${new Date(newest).toISOString()}`, fix)
  return ok('clock', date)
}
