/** The program `valkeep`: every command, as data. */
import { type Application, buildApplication, text_en } from '@stricli/core'
import { group } from './command.ts'
import type { Context, SettingFlag } from './context.ts'
import { exitCodeOf } from './exit-code.ts'
import { completeCommand, completionCommand } from './completion.ts'
import { instanceCommands } from './instance.ts'
import { keyCommands } from './key.ts'
import { nodeCommands } from './node.ts'
import { operationCommands } from './operation.ts'
import { doctorCommand, downCommand, upCommand } from './platform.ts'
import { shardCommands } from './shard.ts'
import { statusCommand } from './status.ts'
import { tenantCommands } from './tenant.ts'
import { parseErrorMessage } from './error-report.ts'
import { stackCommands } from '../stack/commands.ts'
import { userCommands } from './user.ts'

/** Hears of what went wrong instead of Stricli's own output. */
export type ErrorSink = { failed: (error: unknown) => void; misread: (message: string) => void }

/** Printed by Stricli in place of an error that a sink has heard of. */
export const heard = '\0'

const textFor = ({ failed, misread }: ErrorSink) => {
  const say = (hear: () => void) => {
    hear()
    return heard
  }
  return {
    ...text_en,
    exceptionWhileRunningCommand: (error: unknown) => say(() => failed(error)),
    commandErrorResult: (error: unknown) => say(() => failed(error)),
    exceptionWhileParsingArguments: (error: unknown) => say(() => misread(parseErrorMessage(error))),
    noCommandRegisteredForInput: ({ input, corrections }: { input: string; corrections: readonly string[] }) =>
      say(() => {
        const near = corrections.length === 0 ? '' : `; did you mean ${corrections.join(' or ')}?`
        misread(`There is no command ${JSON.stringify(input)}${near}`)
      }),
  }
}

/**
 * Builds the program.
 * @param settingFlags flags of `up`, from the table of settings
 * @param sink left out where no command will run
 */
export function makeApp(settingFlags: readonly SettingFlag[], version: string, sink?: ErrorSink): Application<Context> {
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
        stack: stackCommands,
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
      localization: { text: sink === undefined ? text_en : textFor(sink) },
      determineExitCode: exitCodeOf,
    },
  )
  return app
}
