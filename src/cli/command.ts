/** How commands are written down: data, with what every command shares added once. */
import { buildCommand, buildRouteMap, type Command, type RouteMap, type TypedCommandParameters } from '@stricli/core'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { type ConnectionFlags, openSession, type Session } from './session.ts'

type Routes = Record<string, Command<Context> | RouteMap<Context>>

/** A group of commands. */
export const group = (brief: string, routes: Routes, hidden: Record<string, boolean> = {}): RouteMap<Context> =>
  buildRouteMap<string, Context>({
    // No prototype: a word such as `constructor` is then no command.
    routes: Object.assign(Object.create(null) as Routes, routes),
    docs: { brief, hideRoute: hidden },
  })

/** A whole number; text that is none is a usage error. */
export function integer(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value)) throw new SyntaxError('not a whole number')
  return value
}

/** A positional argument. */
export const argument = (placeholder: string, brief: string) => ({ placeholder, brief, parse: String })
export const optionalArgument = (placeholder: string, brief: string) => ({
  ...argument(placeholder, brief),
  optional: true as const,
})
export const args = <const P extends readonly object[]>(...parameters: P) => ({ kind: 'tuple' as const, parameters })

/** A flag with a text value that may be left out. Stricli's help shows no placeholder: the brief begins with it. */
export const textFlag = (placeholder: string, brief: string) =>
  ({ kind: 'parsed', parse: String, optional: true, placeholder, brief: `<${placeholder}> ${brief}` }) as const
/** A flag that may be given several times. */
export const textsFlag = (placeholder: string, brief: string) =>
  ({
    kind: 'parsed',
    parse: String,
    optional: true,
    variadic: true,
    placeholder,
    brief: `<${placeholder}> ${brief}`,
  }) as const
export const integerFlag = (placeholder: string, brief: string) =>
  ({ kind: 'parsed', parse: integer, optional: true, placeholder, brief: `<${placeholder}> ${brief}` }) as const
/** Off unless given; there is no `--no-` form. */
export const switchFlag = (brief: string) => ({ kind: 'boolean', optional: true, withNegated: false, brief }) as const

const connectionFlags = {
  api: textFlag('URL', 'The platform, where it is not the one of this machine (VALKEEP_API); https only'),
  keyFile: textFlag('FILE', 'File that holds the API key (VALKEEP_KEY_FILE)'),
  caFile: textFlag('FILE', 'CA to trust in addition, where the platform has a private one (VALKEEP_CA_FILE)'),
  home: textFlag('DIR', "The local platform's data directory (VALKEEP_HOME)"),
  json: switchFlag('Print JSON'),
}

export type TenantFlags = ConnectionFlags & { tenant?: string }
export const tenantFlag = textFlag('NAME|ID', 'Tenant (VALKEEP_TENANT; default: default)')

export type ListFlags = ConnectionFlags & { limit: number }
export const limitFlag = {
  kind: 'parsed',
  parse: integer,
  default: '50',
  placeholder: 'N',
  brief: '<N> How many to show at most',
} as const

export type WaitFlags = ConnectionFlags & { wait: boolean; timeout: number }
export const waitFlags = {
  wait: { kind: 'boolean', default: true, brief: 'Wait until it is done, and show its steps' },
  timeout: {
    kind: 'parsed',
    parse: integer,
    default: '300',
    placeholder: 'SECONDS',
    brief: '<SECONDS> How long to wait at most',
  },
} as const

type ApiCommand<F extends ConnectionFlags, A extends readonly unknown[]> = {
  brief: string
  /** Beyond the brief: one example or what is surprising. */
  description?: string
  /** Usage lines, where the generated one misleads. */
  usage?: readonly string[]
  flags?: TypedCommandParameters<Omit<F, keyof ConnectionFlags>, [], Context>['flags']
  positional?: { kind: 'tuple'; parameters: readonly object[] } | { kind: 'array'; parameter: object; minimum?: number }
  run: (session: Session, flags: F, ...args: A) => Promise<void>
}

/** Whatever a command waits for, a signal ends it at once; those that have something to tidy up listen themselves. */
export async function untilSignal(context: Context, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const abort = new AbortController()
  let release = () => {}
  const interrupted = new Promise<never>((_, reject) => {
    release = context.onSignal((name) => {
      const error = new CliError(exitCodes.interrupted, `Ended by ${name}`)
      abort.abort(error)
      reject(error)
    })
  })
  try {
    await Promise.race([run(abort.signal), interrupted])
  } finally {
    release()
  }
}

/** A command that talks to the platform. */
export function apiCommand<F extends ConnectionFlags, A extends readonly unknown[] = []>(
  spec: ApiCommand<F, A>,
): Command<Context> {
  const parameters = {
    flags: { ...spec.flags, ...connectionFlags },
    positional: spec.positional ?? { kind: 'tuple', parameters: [] },
  }
  return buildCommand<Record<string, unknown>, readonly unknown[], Context>({
    func(this: Context, flags, ...given) {
      // Stricli has parsed both by `parameters`, which the types above tie to F and A.
      return untilSignal(this, (signal) =>
        spec.run(openSession(this, flags as F, signal), flags as F, ...(given as unknown as A)),
      )
    },
    parameters: parameters as never,
    docs: {
      brief: spec.brief,
      ...(spec.description === undefined ? {} : { fullDescription: `${spec.brief}\n\n${spec.description}` }),
      ...(spec.usage === undefined ? {} : { customUsage: spec.usage }),
    },
  })
}
