import type { StricliProcess } from '@stricli/core'
import type { HealthVariable } from '../domain/stack/health.ts'

/** Flags of `valkeep up`, as data from the table of settings (src/main). */
export type SettingFlag = {
  name: string
  kind: 'text' | 'boolean'
  placeholder: string
  description: string
  defaultText: string
  hidden: boolean
}

/** What `valkeep down` and `valkeep doctor` need to know of this machine's platform. */
export type LocalSettings = {
  home: string
  host: string
  port: number
  kekFile: string
  runtimeDir: string
  valkeyServer: string | null
  portMin: number
  portMax: number
}

/** What the composition root lends to the commands that run on the platform's own machine; each is loaded when called. */
export type LocalPlatform = {
  /** Runs the platform until a signal ends it. @throws CliError (usage) naming every setting that is wrong */
  run: (flags: Readonly<Record<string, unknown>>) => Promise<void>
  /** @throws CliError (usage) naming every setting that is wrong */
  settings: (flags: Readonly<Record<string, unknown>>) => Promise<LocalSettings>
  /** Stops every server of the data directory; the platform must not run. */
  stopAllServers: (flags: Readonly<Record<string, unknown>>) => Promise<void>
}

/** What the environment says about where the platform is; flags win over it. */
export type ConnectionDefaults = {
  home: string
  api: string | undefined
  keyFile: string | undefined
  caFile: string | undefined
  tenant: string | undefined
}

/** Everything a command gets from the process it runs in. */
export type Context = {
  readonly process: StricliProcess
  /** The program as the person called it: `./valkeep`, `valkeep`. */
  readonly command: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /** ANSI colours are wanted on stdout. */
  readonly colour: boolean
  readonly defaults: ConnectionDefaults
  /** Environment for programs that this one starts. */
  readonly childEnv: Readonly<Record<string, string | undefined>>
  /** Variables of `valkeep stack health` that are set, empty ones included: an empty value is refused like a wrong one. */
  readonly healthEnv: Readonly<Partial<Record<HealthVariable, string>>>
  /** Directory for temporary files. */
  readonly tmpDir: string
  readonly local: LocalPlatform
  /**
   * Calls `handler` at SIGINT, SIGTERM and SIGHUP instead of ending, until the function returned is called. Of several
   * the newest alone.
   */
  readonly onSignal: (handler: (signal: NodeJS.Signals) => void) => () => void
}
