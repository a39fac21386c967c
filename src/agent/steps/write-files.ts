import type { Step } from '../../domain/plan/step.ts'
import type { AgentDeps } from '../admin.ts'

/** Safe to call without anything there, and with a server running on the files: it reads them only when told to. */
export async function writeFiles(deps: AgentDeps, step: Step & { kind: 'write-files' }): Promise<void> {
  const key = step.parts.includes('tls') ? await deps.readSecret(step.plan.tls.keyRef) : null
  await deps.runtime.write(step.plan, step.parts, key)
}
