import { setTimeout as delay } from 'node:timers/promises'
import type { Step } from '../../domain/plan/step.ts'
import type { Progress } from '../../domain/ports/node-agent.ts'
import { ValkeyTimeout, ValkeyUnreachable } from '../../valkey/errors.ts'
import { type AgentDeps, connectAdmin } from '../admin.ts'

const firstPauseMs = 10
const longestPauseMs = 1_000

/**
 * Safe to call with the server running. Needs its files. A large data set loads for minutes: each look at its progress
 * is a beat, so that the step's time limits silence and not loading.
 */
export async function start(
  deps: AgentDeps,
  step: Step & { kind: 'start' },
  signal: AbortSignal,
  beat: (progress: Progress) => void,
): Promise<void> {
  const { runtime } = deps
  await runtime.start(step.plan, { appendonly: step.appendonly }, signal)
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      const progress = await loading(deps, step)
      if (progress === null) return
      beat({ message: progress })
    } catch (error) {
      // A fork of a large process can hold its event loop up for longer than a call may take.
      if (error instanceof ValkeyUnreachable) throw (await runtime.endReason(step.plan.id)) ?? error
      if (!(error instanceof ValkeyTimeout)) throw error
    }
    await delay(pauseMs, undefined, { signal })
  }
}

/** How far the server has read its data; null when it has. */
async function loading(deps: AgentDeps, step: Step): Promise<string | null> {
  await using connection = await connectAdmin(deps, step.server)
  const text = String(await connection.call(['INFO', 'persistence']))
  const field = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(text)?.[1]
  if (field('loading') === '0') return null
  return `loading its data: ${field('loading_loaded_perc') ?? '0'} %, about ${field('loading_eta_seconds') ?? '?'} s to go`
}
