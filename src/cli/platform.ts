import { buildCommand, type Command } from '@stricli/core'
import { integer, switchFlag, untilSignal } from './command.ts'
import type { Context, SettingFlag } from './context.ts'

type Flags = Readonly<Record<string, unknown>>

/** Stricli's flags from the table of settings: all optional, checked with the environment and the config file together. */
function stricliFlags(settings: readonly SettingFlag[]): Record<string, unknown> {
  const flag = ({ kind, placeholder, description, defaultText, hidden }: SettingFlag) => {
    const brief = `${description} (default: ${defaultText.replaceAll('`', '')})`
    return kind === 'boolean'
      ? { kind: 'boolean', optional: true, hidden, brief }
      : { kind: 'parsed', parse: String, optional: true, hidden, placeholder, brief: `<${placeholder}> ${brief}` }
  }
  return Object.fromEntries(settings.map((setting) => [setting.name, flag(setting)]))
}

const command = (
  flags: Record<string, unknown>,
  docs: { brief: string; fullDescription: string },
  run: (context: Context, flags: Flags) => Promise<void>,
): Command<Context> =>
  buildCommand<Flags, [], Context>({
    func(this: Context, given) {
      return run(this, given)
    },
    // Made from data, so that its type cannot be known here.
    parameters: { flags } as never,
    docs,
  })

export const upCommand = (settings: readonly SettingFlag[]): Command<Context> =>
  command(
    stricliFlags(settings),
    {
      brief: 'Run the platform in the foreground',
      fullDescription:
        'Run the platform in the foreground: the API, and every instance that should run.\n\n' +
        'Prints `ready URL` once it answers. Ctrl-C stops the platform, not the instances; valkeep down stops both.\n' +
        'A setting is taken from its flag, else its environment variable, else the config file.',
    },
    (context, flags) => context.local.run(flags),
  )

/** What `down` has to know to find the platform and its servers. */
const placeNames = ['home', 'config', 'kekFile', 'runtimeDir', 'valkeyServer']

export const downCommand = (settings: readonly SettingFlag[]): Command<Context> =>
  command(
    {
      ...stricliFlags(settings.filter((setting) => placeNames.includes(setting.name))),
      timeout: {
        kind: 'parsed',
        parse: integer,
        default: '60',
        placeholder: 'SECONDS',
        brief: '<SECONDS> How long the platform may take to end',
      },
      json: switchFlag('Print JSON'),
    },
    {
      brief: 'Stop the platform and every instance',
      fullDescription:
        'Stop the platform, where it runs, and every instance; they save first.\n\nThe next valkeep up brings back what was running.',
    },
    async (context, flags) => {
      const { down } = await import('./down.ts')
      await untilSignal(context, () => down(context, flags as { timeout: number; json?: boolean }))
    },
  )

export const doctorCommand = (settings: readonly SettingFlag[]): Command<Context> =>
  command(
    { ...stricliFlags(settings), json: switchFlag('Print JSON') },
    {
      brief: 'Check this machine and say what to fix',
      fullDescription:
        'Check this machine and say what to fix and how.\n\nTakes the settings of valkeep up. Ends with 1 where something must be fixed; warnings do not fail.',
    },
    async (context, flags) => (await import('./doctor.ts')).doctor(context, flags as { json?: boolean }),
  )
