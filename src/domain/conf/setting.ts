import { z } from 'zod'

/** How a changed value reaches a running server: `live` by CONFIG SET, `restart` only by starting it anew. */
export type Change = 'live' | 'restart'

/** What an instance's owner may set: one row of the table in settings.ts. */
export type Setting<S extends z.ZodType = z.ZodType> = {
  /** The directive of valkey.conf that carries it. */
  directive: string
  schema: S
  /** What a server gets where the owner said nothing. */
  fallback: z.infer<S>
  change: Change
  /** First engine line that knows the directive; an older one refuses to start on it. */
  since: string
  /** The value as the directive's arguments. */
  toArgs: (value: z.infer<S>) => string[]
}

type Common = { change?: Change; since?: string; about: string }

function setting<S extends z.ZodType>(
  directive: string,
  schema: S,
  fallback: z.infer<S>,
  toArgs: (value: z.infer<S>) => string[],
  { change = 'live', since = '8.0', about }: Common,
): Setting<S> {
  const when = change === 'live' ? 'Changes live.' : 'Changes by a restart.'
  const engine = since === '8.0' ? '' : ` Valkey ${since} or newer.`
  const description = `${about}. ${when}${engine}`
  // Settings left out keep what they are, so the fallback is told in the reference and never filled in by the schema.
  const documented = schema.meta({ description, examples: [fallback] }) as S
  return { directive, schema: documented, fallback, change, since, toArgs }
}

/** A whole number in `[min, max]`; the unit belongs in the setting's name. */
export function integer(directive: string, [min, max]: [number, number], fallback: number, common: Common) {
  return setting(directive, z.int().min(min).max(max), fallback, (value) => [String(value)], common)
}

/** A whole number of MiB, rendered in bytes. */
export function mebibytes(directive: string, [min, max]: [number, number], fallback: number, common: Common) {
  return setting(directive, z.int().min(min).max(max), fallback, (value) => [String(value * 1_048_576)], common)
}

/** true or false, rendered `yes` or `no`. */
export function flag(directive: string, fallback: boolean, about: string) {
  return setting(directive, z.boolean(), fallback, (value) => [value ? 'yes' : 'no'], { about })
}

/** One of some words. */
export function choice<const W extends readonly [string, ...string[]]>(
  directive: string,
  words: W,
  fallback: W[number],
  about: string,
) {
  return setting(directive, z.enum(words), fallback, (value) => [value], { about })
}

/** Any other shape. */
export const custom = setting
