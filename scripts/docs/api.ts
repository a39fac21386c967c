import type { Endpoint } from '../../src/api/authenticate.ts'
import { startTestApi } from '../../test/support/api.ts'
import { version } from '../../src/main/version.ts'
import { code, made, tableOf } from './markdown.ts'

type Schema = {
  $ref?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  description?: string
  minimum?: number
  maximum?: number
}
type Answer = { description?: string; content?: Record<string, { schema: Schema }> }
type Parameter = { name: string; in: string; required?: boolean; description?: string; schema: Schema }
type Operation = {
  summary: string
  description?: string
  tags: string[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, Answer>
}
type Description = {
  info: { version: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}
type Described = { description: Description; endpoints: Endpoint[] }

async function describe(): Promise<Described> {
  const api = await startTestApi()
  try {
    const description = api.app.swagger() as unknown as Description
    description.info.version = version
    return { description, endpoints: api.app.endpoints }
  } finally {
    await api.close()
  }
}

let described: Promise<Described> | undefined
/** The routes as the API itself tells them; asked for once. */
const theApi = (): Promise<Described> => {
  described ??= describe()
  return described
}

/** docs/reference/openapi.json: what GET /openapi.json answers. */
export const openApi = async (): Promise<string> => `${JSON.stringify((await theApi()).description, null, 2)}\n`

const nameOf = (ref: string) => ref.replace('#/components/schemas/', '')
const isSettings = (name: string) => name.startsWith('InstanceSettings')
const anchor = (name: string) =>
  isSettings(name) ? '[settings](instance-settings.md)' : `[${name}](#${name.toLowerCase()})`

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return anchor(nameOf(schema.$ref))
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ')
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.items) return `list of ${typeOf(schema.items)}`
  if (schema.type === 'object') {
    const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => `${code(name)} ${typeOf(field)}`)
    return fields.length === 0 ? 'object' : `object: ${fields.join(', ')}`
  }
  const type = [schema.type ?? 'any'].flat().join(' or ')
  // JSON Schema's bounds of an integer that has none of its own.
  const bounded = schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER
  return type === 'integer' && bounded ? `integer, ${schema.minimum} to ${schema.maximum}` : type
}

const fieldRows = ({ properties = {}, required = [] }: Schema): string[][] =>
  Object.entries(properties).map(([name, field]) => [
    code(name),
    typeOf(field),
    required.includes(name) ? 'yes' : '',
    field.description ?? '',
  ])

const contentOf = (answer: Answer | Operation['requestBody']): Schema | undefined =>
  Object.values(answer?.content ?? {})[0]?.schema

function operationText(method: string, path: string, scope: string, operation: Operation): string {
  const { summary, description, parameters = [], requestBody, responses } = operation
  const body = contentOf(requestBody)
  const lines = [
    `### ${method.toUpperCase()} ${path}`,
    [`${summary}.`, description ?? ''].join(' ').trim(),
    `Scope: ${scope === 'public' ? 'none, no key needed' : code(scope)}.`,
    parameters.length === 0
      ? ''
      : parameters
          .map(
            (p) => `- ${p.in} ${code(p.name)}${p.required ? '' : ' (optional)'}: ${p.description ?? typeOf(p.schema)}`,
          )
          .join('\n'),
    body === undefined ? '' : `Body: ${typeOf(body)}`,
    tableOf(
      ['status', 'answer'],
      Object.entries(responses).map(([status, answer]) => {
        const schema = contentOf(answer)
        const problem = Number(status) >= 400
        return [status, problem || schema === undefined ? (answer.description ?? '') : typeOf(schema)]
      }),
    ).trimEnd(),
  ]
  return `${lines.filter((line) => line !== '').join('\n\n')}\n`
}

const scopeOf = (endpoints: Endpoint[], method: string, path: string): string => {
  const url = path.replace(/\{(\w+)\}/g, ':$1')
  const found = endpoints.find((each) => each.method === method.toUpperCase() && each.url === url)
  if (found === undefined) throw new Error(`${method} ${path} is described and not served`)
  return found.scope
}

/** docs/reference/api.md */
export async function apiReference(): Promise<string> {
  const { description, endpoints } = await theApi()
  const operations = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const scope = scopeOf(endpoints, method, path)
      return { method, path, scope, operation, tag: operation.tags[0] ?? 'platform' }
    }),
  )
  const byTag = [...Map.groupBy(operations, ({ tag }) => tag)]
  const summaryRows = operations.map(({ method, path, scope, operation }) => [
    code(`${method.toUpperCase()} ${path}`),
    Object.keys(operation.responses).find((status) => Number(status) < 400) ?? '',
    scope === 'public' ? '' : code(scope),
    operation.summary,
  ])
  const schemas = Object.entries(description.components.schemas)
    .filter(([name]) => !isSettings(name))
    .map(([name, schema]) => {
      const table =
        schema.properties === undefined
          ? `${typeOf(schema)}\n`
          : tableOf(['field', 'type', 'required', ''], fieldRows(schema))
      return `### ${name}\n\n${schema.description === undefined ? '' : `${schema.description}.\n\n`}${table}`
    })
  return `# The HTTP API

${made}
[openapi.json](openapi.json) is the same for programs; a running platform serves it at \`/openapi.json\`, and a page to read at \`/docs/\`.
[The API by curl](../api-by-curl.md) shows it in use. What every endpoint has in common:

- Every call carries \`Authorization: Bearer KEY\`. A scope \`admin\` includes all others. A tenant's key sees its tenant's things only:
  everything else is 404.
- 202 answers carry the resource and \`Location: /operations/{id}\`: wait there for the outcome.
- Lists answer \`{items, next_cursor, has_more}\` and take \`?limit=\` (default 50, at most 200) and \`?cursor=\`.
- \`Idempotency-Key\` on POST: the same key with the same body gets the same answer and changes nothing more; secrets are not repeated
  (\`secret_already_shown\`). Another body with that key is 409.
- \`ETag\` is the revision of what was read; with \`If-Match\` a change is refused (412) where it has changed since.
- Unknown fields and unknown query parameters are 422. Bodies have at most 64 KiB. [Errors](errors.md) lists every problem.

${tableOf(['endpoint', 'status', 'scope', ''], summaryRows)}
${byTag
  .map(([tag, of]) => `## ${tag}\n\n${of.map((o) => operationText(o.method, o.path, o.scope, o.operation)).join('\n')}`)
  .join('\n')}
## Schemas

${schemas.join('\n')}`
}
