/** The processes of a test's nodes, by the cgroups that the kubelets made for them. All pids are this machine's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The directory of a cluster's cgroups, in one hierarchy of version 1 or in version 2. */
function cgroupsOf(dir: string): string {
  const pids = '/sys/fs/cgroup/pids'
  return join(existsSync(pids) ? pids : '/sys/fs/cgroup', basename(dir))
}

/** Every cgroup below one, itself included. Cgroups come and go while this looks. */
function below(cgroup: string): string[] {
  try {
    const children = readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return [cgroup, ...children.flatMap((entry) => below(join(cgroup, entry.name)))]
  } catch {
    return []
  }
}

function pidsIn(cgroup: string): number[] {
  try {
    return readFileSync(join(cgroup, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Of every container on a node of the cluster in `dir`. */
export const pidsOfNode = (dir: string, node: string): number[] => below(join(cgroupsOf(dir), node)).flatMap(pidsIn)

/** In clock ticks since the machine's start; Infinity where it has ended. */
function startOf(pid: number): number {
  try {
    // What stands in parentheses may hold spaces.
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[19],
    )
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** The oldest process of a container, which need not be its pid 1: a pod may share its processes. Undefined where it has none. */
export function pidOfContainer(dir: string, containerId: string): number | undefined {
  const cgroup = below(cgroupsOf(dir)).find((path) => basename(path).includes(containerId))
  const pids = cgroup === undefined ? [] : below(cgroup).flatMap(pidsIn)
  return pids.toSorted((one, other) => startOf(one) - startOf(other) || one - other)[0]
}

/** SIGKILL; what has ended already is left out. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
