/** The program `valkeep`: every command, as data. */
import { type Application, buildApplication, text_en } from '@stricli/core'
import { group } from './command.ts'
import type { Context, SettingFlag } from './context.ts'
import { CliError, exitCodeOf } from './exit-code.ts'
import { completeCommand, completionCommand } from './completion.ts'
import { instanceCommands } from './instance.ts'
import { keyCommands } from './key.ts'
import { nodeCommands } from './node.ts'
import { operationCommands } from './operation.ts'
import { doctorCommand, downCommand, upCommand } from './platform.ts'
import { shardCommands } from './shard.ts'
import { statusCommand } from './status.ts'
import { tenantCommands } from './tenant.ts'
import { printable } from './text.ts'
import { userCommands } from './user.ts'

/** An error as a person reads it: what happened, why, and what to type next. */
export function errorText(error: unknown): string {
  if (!(error instanceof CliError))
    return `This is a fault of valkeep itself: ${printable((error as Error).stack ?? String(error))}`
  const lines = [`Error: ${error.message}`, ...error.reasons.map((reason) => `  ${reason}`)]
  if (error.next !== null) lines.push(`Next: ${error.next}`)
  return printable(lines.join('\n'))
}

/** Builds the program. @param settingFlags flags of `up`, from the table of settings */
export function makeApp(settingFlags: readonly SettingFlag[], version: string): Application<Context> {
  const app: Application<Context> = buildApplication<Context>(
    group(
      'Managed Valkey on this machine',
      {
        up: upCommand(settingFlags),
        down: downCommand(settingFlags),
        status: statusCommand,
        doctor: doctorCommand(settingFlags),
        instance: instanceCommands,
        user: userCommands,
        operation: operationCommands,
        tenant: tenantCommands,
        shard: shardCommands,
        node: nodeCommands,
        key: keyCommands,
        completion: completionCommand,
        complete: completeCommand(() => app),
      },
      { complete: true },
    ),
    {
      name: 'valkeep',
      versionInfo: { currentVersion: version },
      scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
      documentation: { disableAnsiColor: true, onlyRequiredInUsageLine: true },
      localization: {
        text: { ...text_en, exceptionWhileRunningCommand: errorText, commandErrorResult: errorText },
      },
      determineExitCode: exitCodeOf,
    },
  )
  return app
}
