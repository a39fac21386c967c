/** The agent of the machine we run on, in our own process. */
import type { Step } from '../domain/plan/step.ts'
import type { NodeAgent, NodeFacts, Progress } from '../domain/ports/node-agent.ts'
import type { Runtime } from '../domain/ports/runtime.ts'
import type { ReadSecret } from '../domain/ports/secrets.ts'
import { aclDryRun } from '../valkey/commands.ts'
import { makeDeathWatch } from '../valkey/death-watch.ts'
import { ValkeyReplyError } from '../valkey/errors.ts'
import { type AgentDeps, connectAdmin, stepErrorOf } from './admin.ts'
import { askServer, joinTls, servesPort } from './live.ts'
import { configure } from './steps/configure.ts'
import { remove } from './steps/remove.ts'
import { setUsers } from './steps/set-users.ts'
import { start } from './steps/start.ts'
import { stop } from './steps/stop.ts'
import { writeFiles } from './steps/write-files.ts'

export type LocalAgentDeps = NodeFacts & {
  runtime: Runtime
  readSecret: ReadSecret
  /** Deadline of each connect and each command to a server; 2 s by default. */
  callMs?: number
  /** How often a watched server is asked whether it answers; 3 s by default. */
  watchIntervalMs?: number
  /** How long a watched server may take for an answer; 3 s by default. */
  watchDeadlineMs?: number
}

/** Observations and steps fail with a StepError, or with the signal's reason. */
export function makeLocalAgent(options: LocalAgentDeps): NodeAgent {
  const { runtime, readSecret, serversDir, socketsDir, engine } = options
  const { callMs = 2_000, watchIntervalMs = 3_000, watchDeadlineMs = 3_000 } = options
  const deps: AgentDeps = { runtime, readSecret, callMs }
  const deathWatch = makeDeathWatch()

  return {
    facts: { serversDir, socketsDir, engine },
    async observe(server, plan, signal) {
      signal.throwIfAborted()
      const asked = askServer(deps, server, plan)
      const [medium, facts] = await Promise.all([runtime.observe(plan, asked.then(servesPort)), asked]).catch(
        (error: unknown) => {
          throw stepErrorOf(error)
        },
      )
      signal.throwIfAborted()
      if (!medium.process) return { ...medium, live: null, silent: null }
      if (!facts) return { ...medium, live: null, silent: 'its socket is gone' }
      if ('silent' in facts) return { ...medium, live: null, silent: facts.silent }
      return { ...medium, live: joinTls(facts, medium.port), silent: null }
    },
    async execute(step, signal, beat) {
      signal.throwIfAborted()
      try {
        await run(deps, step, signal, beat)
      } catch (error) {
        signal.throwIfAborted()
        throw stepErrorOf(error)
      }
    },
    async dryRun(server, username, commands) {
      await using connection = await connectAdmin(deps, server)
      return await Promise.all(
        commands.map(async (command) => {
          try {
            return await aclDryRun(connection, username, command)
          } catch (error) {
            if (error instanceof ValkeyReplyError) return { allowed: false as const, reason: error.message }
            throw error
          }
        }),
      )
    },
    list: () => runtime.list(),
    watch(server, events) {
      const watch = deathWatch.watch({
        socketPath: runtime.layout(server.id).socket,
        intervalMs: watchIntervalMs,
        deadlineMs: watchDeadlineMs,
        onDown: (reason) => events.onDown(reason === 'closed' ? 'its socket closed' : 'it has no socket'),
        onUnresponsive: () => events.onUnresponsive(),
        onResponsive: () => events.onResponsive(),
      })
      return () => watch.close()
    },
  }
}

async function run(
  deps: AgentDeps,
  step: Step,
  signal: AbortSignal,
  beat: (progress: Progress) => void,
): Promise<void> {
  switch (step.kind) {
    case 'write-files':
      return writeFiles(deps, step)
    case 'start':
      return start(deps, step, signal, beat)
    case 'configure':
      return configure(deps, step)
    case 'set-users':
      return setUsers(deps, step)
    case 'stop':
      return stop(deps, step, signal, beat)
    case 'remove':
      return remove(deps, step)
  }
}
