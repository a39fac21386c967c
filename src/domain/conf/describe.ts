/** The table of settings in words: for the reference and for the command line. */
import { z } from 'zod'
import { nearestName } from '../nearest-name.ts'
import type { Change } from './setting.ts'
import { type SettingName, settingNames, settings } from './settings.ts'

type JsonSchema = {
  type?: string
  minimum?: number
  maximum?: number
  enum?: string[]
  pattern?: string
  anyOf?: JsonSchema[]
  items?: { properties: Record<string, JsonSchema> }
  maxItems?: number
  description?: string
}

/** The values that a schema takes, in words. @param code marks what is to be typed as it stands */
function valuesOf(schema: JsonSchema, code: (text: string) => string): string {
  if (schema.anyOf) return schema.anyOf.map((each) => valuesOf(each, code)).join(' or ')
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (schema.type === 'boolean') return `${code('true')}, ${code('false')}`
  if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}`
  if (schema.items) {
    const fields = Object.entries(schema.items.properties)
    const shown = fields.map(([name, field]) => `${code(name)} ${valuesOf(field, code)}`)
    return `a list of at most ${schema.maxItems} of {${shown.join(', ')}}`
  }
  return `text that matches ${code(schema.pattern ?? '.*')}`
}

/**
 * One setting in words.
 * @property default as JSON
 * @property since first engine line that knows it
 */
export type SettingInWords = {
  name: SettingName
  values: string
  default: string
  change: Change
  since: string
  about: string
  directive: string
}

/** Every setting in words, in the table's order. */
export function describeSettings(code: (text: string) => string = (text) => text): SettingInWords[] {
  return settingNames.map((name) => {
    const { directive, schema, fallback, change, since } = settings[name]
    const json = z.toJSONSchema(schema) as JsonSchema
    // The schema's description ends with what has fields of its own here.
    const about = (json.description ?? '').replace(/\. Changes (live|by a restart)\..*$/, '')
    return { name, values: valuesOf(json, code), default: JSON.stringify(fallback), change, since, about, directive }
  })
}

/** The setting that was meant: by its directive's name, with dashes, or with a slip of the fingers. */
export function nearestSetting(word: string): SettingName | undefined {
  const dashed = word.toLowerCase().replaceAll('_', '-')
  const byDirective = settingNames.find((name) => settings[name].directive === dashed)
  if (byDirective !== undefined) return byDirective
  return nearestName(word.toLowerCase().replaceAll('-', '_'), settingNames) as SettingName | undefined
}
