/** Making a running stack take what was written: its container is started anew, and how long it was away is measured. */
import { resolve } from 'node:path'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { inContainer } from '../domain/stack/places.ts'
import { DockerFailed, makeDocker, restartUntilHealthy, runningContainer } from '../runtime/compose/docker.ts'
import { composeLine } from './compose-file.ts'
import type { Report } from './report.ts'
import type { StackPlace } from './stack-place.ts'

const waitMs = 60_000

/** The command that a person types instead. */
const restartLine = ({ root, spec }: StackPlace): string =>
  composeLine(resolve(root, spec.files.compose), `restart ${spec.service.name}`)

/**
 * Says that a restart is needed, or does it.
 * @returns the outage in milliseconds; null where nothing was restarted
 */
export async function applyChange(
  context: Context,
  place: StackPlace,
  report: Report,
  { apply, signal }: { apply: boolean; signal: AbortSignal },
): Promise<number | null> {
  if (!apply) {
    report.notes.push(
      `A running container takes this only by a restart (its files are read-only, and no user holds ACL or CONFIG): ${restartLine(place)}`,
    )
    return null
  }
  const file = resolve(place.root, place.spec.files.compose)
  const target = { file, service: place.spec.service.name }
  const docker = makeDocker(context.childEnv, signal)
  try {
    const container = await runningContainer(docker, target)
    if (container === null) {
      report.notes.push(`No container of ${target.service} runs: it takes this when it starts.`)
      return null
    }
    const health = { healthCommand: inContainer.health, waitMs }
    const outageMs = Math.round(await restartUntilHealthy(docker, { ...target, container }, health))
    report.notes.push(`Restarted, and healthy again: no answer for ${(outageMs / 1000).toFixed(1)} s at most.`)
    return outageMs
  } catch (error) {
    if (!(error instanceof DockerFailed)) throw error
    throw new CliError(exitCodes.failed, 'What was written could not be applied', {
      reasons: [error.message],
      next: `See what is wrong, then apply it: valkeep stack check, ${restartLine(place)}`,
    })
  }
}
