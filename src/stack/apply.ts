/** Making a running stack take what was written: its container is started anew, and how long it was away is measured. */
import { resolve } from 'node:path'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { inContainer } from '../domain/stack/places.ts'
import { composeLine } from './compose-file.ts'
import { DockerFailed, isRunning, makeDocker, restartUntilHealthy } from './docker.ts'
import { type Report, stackCommand } from './report.ts'
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
  const container = place.spec.service.container_name
  const docker = makeDocker(context.childEnv, signal)
  try {
    if (!(await isRunning(docker, container))) {
      report.notes.push(`No container ${container} runs here: it takes this when it starts.`)
      return null
    }
    const outageMs = Math.round(
      await restartUntilHealthy(docker, container, { healthCommand: inContainer.health, waitMs }),
    )
    report.notes.push(`Restarted, and healthy again: no answer for ${(outageMs / 1000).toFixed(1)} s at most.`)
    return outageMs
  } catch (error) {
    if (!(error instanceof DockerFailed)) throw error
    throw new CliError(exitCodes.failed, 'What was written could not be applied', {
      reasons: [error.message],
      next: `See what is wrong, then restart it: ${stackCommand(place.root, 'check')}; ${restartLine(place)}`,
    })
  }
}
