/**
 * Writes the parts of docs/reference that are made from the program's own tables. Run it after changing one of them:
 *   node scripts/gen-docs.ts
 * A test compares what is committed with what this would write. Another document is another row of `documents`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Application, type CommandContext, generateHelpTextForAllCommands } from '@stricli/core'
import { makeApp } from '../src/cli/app.ts'
import { exitCodeMeaning } from '../src/cli/exit-code.ts'
import { settingFlags } from '../src/main/setting-flags.ts'
import { type Setting, settingTable } from '../src/main/setting-table.ts'
import { apiReference, openApi } from './docs/api.ts'
import { chartReadme } from './docs/chart.ts'
import { errorsReference } from './docs/errors.ts'
import { instanceSettingsReference } from './docs/instance-settings.ts'
import { made, tableOf } from './docs/markdown.ts'
import { privilegesReference } from './docs/privileges.ts'

type Document = { path: string; render: () => string | Promise<string> }

function cliReference(): string {
  // Help runs no command, and so needs no context.
  const app = makeApp(settingFlags, '0') as unknown as Application<CommandContext>
  const commands = generateHelpTextForAllCommands(app)
    .filter(([route]) => route !== 'valkeep complete')
    .map(([route, help]) => `## ${route}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`)
  const codes = Object.entries(exitCodeMeaning).map(([code, meaning]) => [code, meaning])
  return `# The command line

${made}
\`valkeep COMMAND --help\` says the same. Names and ids are accepted wherever one of them is wanted.
With \`--json\` a command writes one JSON document to standard output; everything else goes to standard error, where an error is
one line of JSON: \`error\`, \`reasons\`, \`next\`, \`exit_code\`.

## Exit codes

${tableOf(['code', 'meaning'], codes)}
## Which platform

The platform of this machine is found by its data directory (\`--home\`, \`VALKEEP_HOME\`); its \`admin.key\` goes to nobody else, and
its own certificate is trusted where it has one. Another one is named by
\`--api URL\` (\`VALKEEP_API\`; https unless it is loopback), with the file of its key, \`--key-file FILE\` (\`VALKEEP_KEY_FILE\`), and,
where its certificate is of a private CA, \`--ca-file FILE\` (\`VALKEEP_CA_FILE\`). \`VALKEEP_TENANT\` is the tenant where \`--tenant\` is left out.

${commands.join('\n')}`
}

function configReference(): string {
  const shown = (Object.entries(settingTable) as [string, Setting][]).filter(([, setting]) => !setting.hidden)
  const rows = shown.map(([, { key, flag, env, defaultText, description }]) => [
    key === null ? '' : `\`${key}\``,
    `\`--${flag}\``,
    `\`${env}\``,
    defaultText,
    description,
  ])
  return `# Settings of the platform

${made}
A setting is taken from its flag of \`valkeep up\`, else from its environment variable, else from the config file, else from its
default. The config file is YAML, \`key: value\` on each line: \`config.yaml\` in the data directory, or what \`--config\` names.
Paths in it are taken from the directory it lies in. All of it is checked at the start, and every error is named at once.

${tableOf(['key', 'flag', 'environment', 'default', 'meaning'], rows)}`
}

/** Every generated document, by its path in the repository. */
export const documents: Document[] = [
  { path: 'docs/reference/cli.md', render: cliReference },
  { path: 'docs/reference/config.md', render: configReference },
  { path: 'docs/reference/instance-settings.md', render: instanceSettingsReference },
  { path: 'docs/reference/privileges.md', render: privilegesReference },
  { path: 'docs/reference/errors.md', render: errorsReference },
  { path: 'docs/reference/api.md', render: apiReference },
  { path: 'docs/reference/openapi.json', render: openApi },
  { path: 'charts/valkey-cluster/README.md', render: chartReadme },
]

/** Where a document lies on this machine. */
export const documentFile = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

if (import.meta.main)
  for (const { path, render } of documents) {
    mkdirSync(dirname(documentFile(path)), { recursive: true })
    writeFileSync(documentFile(path), await render())
  }
