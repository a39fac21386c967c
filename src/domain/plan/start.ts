/** Planning of `start`: the one place that decides whether a server may be started on the data that is there. */
import type { Cause } from '../model/common.ts'
import { writeFiles } from './files.ts'
import type { InstanceSpec, ServerObservation, ServerSpec } from './spec.ts'
import { blocked, type Plan, type StepBase } from './step.ts'

/** Steps that start a server without a process, or why it may not be started: no start silently empties an instance. */
export function planStart(desired: InstanceSpec, server: ServerSpec, seen: ServerObservation, base: StepBase): Plan {
  const cause = wrongPort(server, seen) ?? wrongEngine(server, seen) ?? wrongData(desired, server, seen)
  if (cause) return blocked(cause)
  // With appendonly yes an RDB without an AOF is ignored and then overwritten (facts §4): load it first, then turn AOF on.
  const appendonly = seen.data.kind === 'rdb-only' ? 'no' : 'yes'
  return {
    state: 'steps',
    steps: [...writeFiles(server, seen, base), { ...base, kind: 'start', plan: server.plan, appendonly }],
  }
}

function wrongPort(server: ServerSpec, seen: ServerObservation): Cause | undefined {
  const { host, port } = server.plan.listen
  if (seen.port !== 'stranger') return undefined
  return {
    code: 'port-taken',
    message: `port ${port} on ${host} is held by a process that is not ours; it is left alone`,
    remedy: `end that process (ss -ltnp 'sport = :${port}' names it), then retry`,
  }
}

function wrongEngine(server: ServerSpec, seen: ServerObservation): Cause | undefined {
  const { version, binary } = server.plan.engine
  const have = seen.binaryVersion
  if (have === null)
    return {
      code: 'engine-missing',
      message: `${binary} is gone; the instance needs Valkey ${version}`,
      remedy: 'install it again, or set VALKEY_SERVER, then retry',
    }
  if (series(have) === series(version)) return undefined
  return {
    code: 'engine-changed',
    message: `${binary} is Valkey ${have} now, and the instance runs on ${version}: it is not moved silently`,
    remedy: `point VALKEY_SERVER at a Valkey ${series(version)}, or accept ${have}: retry with accept_engine "${have}"`,
  }
}

/** Versions of one series open each other's data; `8.0` of `8.0.1`. */
const series = (version: string) => version.split('.').slice(0, 2).join('.')

/** The server's id in the message is its directory's name: without it nobody finds the files. */
function wrongData(desired: InstanceSpec, server: ServerSpec, seen: ServerObservation): Cause | undefined {
  const { id } = server.handle
  const { data } = seen
  const accepted = desired.accept.data
  switch (data.kind) {
    case 'aof':
      return undefined
    case 'unsafe':
      return {
        code: 'data-unsafe',
        message: `starting ${id} would lose data: ${data.reason}`,
        remedy: 'put the missing files back from a copy, then retry',
      }
    case 'rdb-only':
      if (!desired.everActive || accepted === 'rdb') return undefined
      return {
        code: 'data-aof-gone',
        message: `the append-only file of ${id} is gone and only the last RDB snapshot is left, which is older`,
        remedy: 'put appendonlydir back, or accept the snapshot: retry with accept_data "rdb"',
      }
    case 'empty':
      if (!desired.everActive || accepted === 'empty') return undefined
      return {
        code: 'data-gone',
        message: `the data directory of ${id} is empty though the instance had data`,
        remedy: 'put the data back, or accept an empty start: retry with accept_data "empty"',
      }
  }
}
