/** Desired and observed in, steps out: pure, total, the same answer for the same facts. */
import { diffConf } from '../conf/same.ts'
import { sameUsers, userChanges, writeFiles } from './files.ts'
import type { InstanceObservation, InstanceSpec, ServerObservation, ServerSpec } from './spec.ts'
import { planStart } from './start.ts'
import { blocked, converged, type Plan, type Step, type StepBase } from './step.ts'

/** How long a step may take before its attempt counts as failed. Loading is not limited: it beats. */
export const stepTimeoutMs = 30_000

/**
 * What may be done next for an instance.
 * Steps of different servers are independent of each other; those of one server are in order.
 */
export function plan(desired: InstanceSpec, observed: InstanceObservation): Plan {
  const plans = desired.servers.map((server) => {
    const seen = observed.servers[server.handle.id]
    if (!seen) throw new Error(`no observation of ${server.handle.id}`)
    return planServer(desired, server, seen)
  })
  const steps = plans.flatMap((p) => (p.state === 'steps' ? p.steps : []))
  if (steps.length > 0) return { state: 'steps', steps }
  return plans.find((p) => p.state === 'blocked') ?? converged
}

function planServer(desired: InstanceSpec, server: ServerSpec, seen: ServerObservation): Plan {
  const base = { nodeId: server.nodeId, server: server.handle, timeoutMs: stepTimeoutMs }
  switch (desired.desired) {
    case 'absent':
      if (!seen.files && !seen.process) return converged
      return { state: 'steps', steps: [{ ...base, kind: 'remove' }] }
    case 'stopped': {
      const steps: Step[] = writeFiles(server, seen, base)
      if (seen.process) steps.push({ ...base, kind: 'stop', reason: 'it is to be stopped' })
      return steps.length > 0 ? { state: 'steps', steps } : converged
    }
    case 'running':
      return seen.process ? planRunning(server, seen, base) : planStart(desired, server, seen, base)
  }
}

function planRunning(server: ServerSpec, seen: ServerObservation, base: StepBase): Plan {
  const waiting = notReady(server, seen)
  if (waiting) return waiting
  const live = seen.live
  if (!live) throw new Error('notReady lets nothing pass that does not answer')
  const steps = writeFiles(server, seen, base)
  const conf = diffConf(server.plan.conf, null, live.config)
  if (conf.restart.length > 0) {
    const reason = `${conf.restart.join(', ')} changes by a restart only`
    return { state: 'steps', steps: [...steps, { ...base, kind: 'stop', reason }] }
  }
  const directives = [...conf.live]
  const served = 'fingerprint' in live.tls ? live.tls.fingerprint : null
  if (served !== null && served !== server.plan.tls.fingerprint) directives.push(...tlsDirectives(server))
  if (directives.length > 0) steps.push({ ...base, kind: 'configure', directives, plan: server.plan })
  const users = userChanges(server, live.acl)
  const fileDiffers = !sameUsers(server, seen.files?.acl ?? null)
  if (users.change.length > 0 || users.remove.length > 0 || fileDiffers)
    steps.push({ ...base, kind: 'set-users', users: users.change, remove: users.remove })
  if (steps.length > 0) return { state: 'steps', steps }
  if ('error' in live.tls)
    return blocked({ code: 'tls-unreachable', message: `clients cannot connect over TLS: ${live.tls.error}` }, true)
  if (seen.data.kind === 'rdb-only')
    return blocked({ code: 'aof-rewrite', message: 'the first append-only file is being written' }, true)
  return converged
}

/** Why a process that exists cannot be judged or changed now. */
function notReady(server: ServerSpec, seen: ServerObservation): Plan | undefined {
  const pid = seen.process?.pid
  if (seen.process?.frozen)
    return blocked(
      {
        code: 'frozen',
        message: `process ${pid} is stopped by a signal and answers nobody`,
        remedy: `continue it: kill -CONT ${pid}`,
      },
      true,
    )
  if (!seen.live)
    return blocked({ code: 'silent', message: `process ${pid} does not answer: ${seen.silent ?? 'no reason'}` }, true)
  if (seen.live.processId !== pid)
    return blocked({
      code: 'stranger-on-socket',
      message: `the socket of ${server.handle.id} is served by process ${seen.live.processId}, not by ours (${pid})`,
      remedy: `end process ${seen.live.processId} if it is not wanted`,
    })
  if (seen.live.loading) return blocked({ code: 'loading', message: 'it is loading its data' }, true)
  return undefined
}

/** A CONFIG SET of the pair re-reads the same paths; a mismatch is refused and the old pair stays (facts §5). */
const tlsDirectives = (server: ServerSpec) =>
  server.plan.conf.filter((d) => d.name === 'tls-cert-file' || d.name === 'tls-key-file')
