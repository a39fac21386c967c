/** `valkeep stack check`: looks at a stack's files, judges, and says what to fix. Changes nothing, and asks no docker. */
import type { Context } from '../cli/context.ts'
import { showFindings } from '../cli/findings.ts'
import { judgeStack } from '../domain/stack/check/check.ts'
import { gatherFacts } from './check-facts.ts'
import { openDeclaredStack } from './stack-place.ts'

export type CheckFlags = { json?: boolean }

/** @throws CliError (failed) where something must be fixed, and where there is no stack or its stack.yaml is wrong */
export async function runCheck(context: Context, flags: CheckFlags, dir: string | undefined): Promise<void> {
  const place = openDeclaredStack(dir ?? '.')
  const facts = gatherFacts(place, new Date(), context.childEnv)
  showFindings(context, flags.json ?? false, judgeStack(place.spec, facts), facts.names.command('check'))
}
