import type { Step } from '../../domain/plan/step.ts'
import { configSet } from '../../valkey/commands.ts'
import { type AgentDeps, connectAdmin } from '../admin.ts'

/**
 * One CONFIG SET: all of it or nothing. Safe to repeat; the TLS files are read again each time, and a pair that does not
 * fit is refused while the old one stays (facts §5). Needs a server that answers.
 */
export async function configure(deps: AgentDeps, step: Step & { kind: 'configure' }): Promise<void> {
  await using connection = await connectAdmin(deps, step.server)
  await configSet(connection, mergeLines(step.directives))
}

type Directives = (Step & { kind: 'configure' })['directives']

/** CONFIG SET takes each name once: several lines of one name (`save`, buffer limits) are one value there. */
function mergeLines(directives: Directives): Directives {
  return [...Map.groupBy(directives, ({ name }) => name)].map(([name, lines]) => ({
    name,
    args: lines.flatMap(({ args }) => args),
  }))
}
