import { describeSettings } from '../../src/domain/conf/describe.ts'
import { code, made, tableOf } from './markdown.ts'

const rows = () =>
  describeSettings(code).map(({ name, values, default: fallback, change, since, about, directive }) => {
    return [code(name), values, code(fallback), change, since === '8.0' ? '' : since, about, code(directive)]
  })

/** docs/reference/instance-settings.md */
export function instanceSettingsReference(): string {
  const head = ['setting', 'values', 'default', 'changes', 'from Valkey', 'meaning', 'directive']
  return `# Settings of an instance

${made}
\`PATCH /valkey-instances/{id}\` takes them in \`settings\`, \`valkeep instance update NAME --set KEY=VALUE\` too, and \`valkeep instance settings\` lists them. Only what a request carries
changes. \`live\`: by CONFIG SET, connections stay. \`restart\`: the server saves, ends and starts again on its port, and its clients
have to reconnect. \`max_memory_mb\` is a field of the instance itself and changes live.
[Change settings](../change-settings.md) shows how.

${tableOf(head, rows())}
Everything else in valkey.conf is the platform's: address, port, TLS, ACL, persistence and replication. Units are in the names.
`
}
