/**
 * Writes src/domain/acl/commands.gen.ts: the command table as real servers of every supported line describe it
 * (COMMAND, COMMAND DOCS, ACL CAT), as a union. Run it when a new line is supported:
 *   node scripts/gen-commands.ts
 * All lines must be on this machine. The newest line that has a command describes it.
 */
import { writeFileSync } from 'node:fs'
import { VALKEY_VERSIONS, valkeyBinaries } from '../test/support/parts.ts'
import { type RawValkey, startRawValkey } from '../test/support/raw-valkey.ts'

/** What every supported engine has needs no version of its own. */
const OLDEST = [8, 0, 0]

type KeySpec = {
  flags: string[]
  begin_search: { type: string; spec: Record<string, number | string> }
  find_keys: { type: string; spec: Record<string, number> }
}
type CommandReply = [string, number, string[], number, number, number, string[], string[], KeySpec[], CommandReply[]]
type Docs = { since: string; subcommands?: Record<string, Docs> }
type Row = { name: string; since: string; arity: number; categories: string[]; noAuth: boolean; keys: string }

function isNewer(a: number[], b: number[]): boolean {
  const at = a.findIndex((part, i) => part !== b[i])
  return at !== -1 && (a[at] ?? 0) > (b[at] ?? 0)
}

/** `i1:r0,1,0:R` = keys begin at argument 1, last one 0 further on, step 1; read. See command-table.ts. */
function compactSpec({ flags, begin_search: begin, find_keys: find }: KeySpec): string {
  const reads = flags.includes('access')
  const writes = ['insert', 'delete', 'update'].some((flag) => flags.includes(flag))
  const access = `${reads ? 'R' : ''}${writes ? 'W' : ''}` || '-'
  const from =
    begin.type === 'index' ? `i${begin.spec.index}` : begin.type === 'keyword' ? `k${begin.spec.keyword}` : '?'
  const { lastkey, keystep, limit, keynumidx, firstkey } = find.spec
  const how =
    find.type === 'range'
      ? `r${lastkey},${keystep},${limit}`
      : find.type === 'keynum'
        ? `n${keynumidx},${firstkey},${keystep}`
        : '?'
  return `${from}:${how}:${access}`
}

function rowsOf(reply: CommandReply, docs: Docs): Row[] {
  const [name, arity, flags, , , , categories, , specs, subcommands] = reply
  const since = docs.since.split('.').map(Number)
  const row: Row = {
    name,
    since: isNewer(since, OLDEST) ? since.slice(0, 2).join('.') : '',
    arity,
    categories: [...categories].map((category) => category.slice(1)),
    noAuth: [...flags].includes('no_auth'),
    // channels of sharded publish and subscribe are routed like keys, and are none
    keys: [...new Set(specs.filter(({ flags }) => ![...flags].includes('not_key')).map(compactSpec))].join(';'),
  }
  return [row, ...subcommands.flatMap((sub) => rowsOf(sub, docs.subcommands?.[sub[0]] ?? docs))]
}

async function describe(server: RawValkey): Promise<{ categories: string[]; rows: Row[] }> {
  const categories = (await server.call('ACL', 'CAT')) as string[]
  const docs = (await server.call('COMMAND', 'DOCS')) as Record<string, Docs>
  const commands = (await server.call('COMMAND')) as CommandReply[]
  const rows = commands.flatMap((command) => rowsOf(command, docs[command[0]] ?? { since: OLDEST.join('.') }))
  const [major, minor] = server.version.split('.').map(Number)
  const early = rows.find(
    (row) => row.since !== '' && isNewer(row.since.split('.').map(Number), [major ?? 0, minor ?? 0]),
  )
  if (early !== undefined)
    throw new Error(`${early.name} is documented for ${early.since}, yet ${server.version} has it`)
  return { categories: categories.sort(), rows }
}

const table = new Map<string, Row>()
let categories: string[] = []
const versions: string[] = []
const found = valkeyBinaries()
if (found.length !== VALKEY_VERSIONS.length) throw new Error('every supported line must be on this machine')
for (const { path } of found) {
  const server = await startRawValkey({ binary: path })
  try {
    const described = await describe(server)
    const names = new Set(described.rows.map((row) => row.name))
    const gone = [...table.keys()].filter((name) => !names.has(name))
    if (gone.length > 0)
      throw new Error(`${server.version} no longer has ${gone.join(', ')}: the table needs an "until"`)
    const lost = categories.filter((category) => !described.categories.includes(category))
    if (lost.length > 0) throw new Error(`${server.version} no longer has the categories ${lost.join(', ')}`)
    for (const row of described.rows) {
      const before = table.get(row.name)?.categories.toSorted().join(' ')
      if (before !== undefined && before !== row.categories.toSorted().join(' ')) {
        throw new Error(
          `the categories of ${row.name} differ in ${server.version}: the table keeps one set per command`,
        )
      }
      table.set(row.name, row)
    }
    categories = described.categories
    versions.push(server.version)
  } finally {
    await server.stop()
  }
}

const letter = (category: string): string => String.fromCharCode(97 + categories.indexOf(category))
const lines = [...table.values()]
  .sort((a, b) => (a.name < b.name ? -1 : 1))
  .map(({ name, since, arity, categories: own, noAuth, keys }) =>
    [name, since || '-', arity, own.map(letter).sort().join('') || '-', noAuth ? 'n' : '-', keys || '-'].join(' '),
  )
writeFileSync(
  new URL('../src/domain/acl/commands.gen.ts', import.meta.url),
  `// Written by scripts/gen-commands.ts from valkey ${versions.join(', ')}. Do not edit.

/** Category names; a row names each by its letter, \`a\` for the first. */
export const CATEGORY_NAMES =
  '${categories.join(' ')}'

/** One command a line: name, since (\`-\` = 8.0 has it), arity, categories, \`n\` = needs no permission, key specs. */
export const COMMAND_ROWS = \`
${lines.join('\n')}
\`
`,
)
process.stdout.write(`${lines.length} commands of valkey ${versions.join(', ')}\n`)
