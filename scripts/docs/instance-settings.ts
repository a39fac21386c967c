import { z } from 'zod'
import { type SettingName, settingNames, settings } from '../../src/domain/conf/settings.ts'
import { code, made, tableOf } from './markdown.ts'

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

/** The values that a schema takes, in words. */
function valuesOf(schema: JsonSchema): string {
  if (schema.anyOf) return schema.anyOf.map(valuesOf).join(' or ')
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (schema.type === 'boolean') return '`true`, `false`'
  if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}`
  if (schema.items) {
    const fields = Object.entries(schema.items.properties).map(([name, field]) => `${code(name)} ${valuesOf(field)}`)
    return `a list of at most ${schema.maxItems} of {${fields.join(', ')}}`
  }
  return `text that matches ${code(schema.pattern ?? '.*')}`
}

function rowOf(name: SettingName): string[] {
  const { directive, schema, fallback, change, since } = settings[name]
  const json = z.toJSONSchema(schema) as JsonSchema
  // The schema's description ends with what has columns of its own here.
  const about = (json.description ?? '').replace(/\. Changes (live|by a restart)\..*$/, '')
  const engine = since === '8.0' ? '' : since
  return [code(name), valuesOf(json), code(JSON.stringify(fallback)), change, engine, about, code(directive)]
}

/** docs/reference/instance-settings.md */
export function instanceSettingsReference(): string {
  const head = ['setting', 'values', 'default', 'changes', 'from Valkey', 'meaning', 'directive']
  return `# Settings of an instance

${made}
\`PATCH /valkey-instances/{id}\` takes them in \`settings\`, \`valkeep instance update NAME --set KEY=VALUE\` too. Only what a request carries
changes. \`live\`: by CONFIG SET, connections stay. \`restart\`: the server saves, ends and starts again on its port, and its clients
have to reconnect. \`max_memory_mb\` is a field of the instance itself and changes live.
[Change settings](../change-settings.md) shows how.

${tableOf(head, settingNames.map(rowOf))}
Everything else in valkey.conf is the platform's: address, port, TLS, ACL, persistence and replication. Units are in the names.
`
}
