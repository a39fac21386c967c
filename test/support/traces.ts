/** What is left on this machine of daemons that a test started in namespaces of their own, by the name of their directory. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'

/** Of one process; nothing where it has ended. */
function readProc(pid: string, read: (path: string) => string, name: string): string {
  try {
    return read(`/proc/${pid}/${name}`)
  } catch {
    return ''
  }
}

const text = (path: string): string => readFileSync(path, 'latin1')
const pidsNow = (): string[] => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid))

/** The network namespaces of the processes that {@link traces} finds, as the kernel names them. */
export const networksOf = (dir: string): string[] => [
  ...new Set(
    traces(dir)
      .processes.map((pid) => readProc(pid, readlinkSync, 'ns/net'))
      .filter((network) => network !== '' && network !== readlinkSync('/proc/self/ns/net')),
  ),
]

/**
 * Processes and mounts (seen by any process) that name `dir`, cgroups named like it, itself.
 * @param networks network namespaces that are looked for too, wherever a process or a mount holds one
 */
export function traces(dir: string, networks: readonly string[] = []) {
  const name = basename(dir)
  const pids = pidsNow()
  const naming = (file: string) => pids.filter((pid) => readProc(pid, text, file).includes(name))
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((child) => join('/sys/fs/cgroup', child))]
  return {
    processes: [...new Set([...naming('cmdline'), ...naming('cgroup')])],
    mounts: naming('mountinfo'),
    cgroups: roots.map((root) => join(root, name)).filter((path) => existsSync(path)),
    networks: networks.filter((network) =>
      pids.some(
        (pid) =>
          readProc(pid, readlinkSync, 'ns/net') === network || readProc(pid, text, 'mountinfo').includes(network),
      ),
    ),
    directory: existsSync(dir),
  }
}

/** What {@link traces} answers once everything is gone. */
export const NO_TRACES = { processes: [], mounts: [], cgroups: [], networks: [], directory: false }
