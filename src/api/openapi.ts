import { STATUS_CODES } from 'node:http'
import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { optionalBody } from './schema.ts'

type Json = Record<string, unknown>
type Operation = Json & {
  parameters?: Json[]
  responses?: Record<string, Json>
  requestBody?: Json
  security?: object[]
}

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const

const idempotencyHeader = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'For a day the same key with the same body gets the same answer and changes nothing more; another body is 409',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,255}$' },
}
const ifMatchHeader = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The ETag that the change is based on; 412 where the resource has changed since',
  schema: { type: 'string' },
}
const answerHeaders: Record<string, Json> = {
  'x-request-id': { description: 'Names this request in the log and in audit rows', schema: { type: 'string' } },
}
const headersByStatus: Record<string, Record<string, Json>> = {
  202: { location: { description: 'The operation: `/operations/{id}`', schema: { type: 'string' } } },
  401: { 'www-authenticate': { schema: { type: 'string' } } },
  429: { 'retry-after': { description: 'Seconds', schema: { type: 'string' } } },
}

/** `get` and `/valkey-users/{id}/effective` make `getValkeyUsersIdEffective`. */
const operationIdOf = (method: string, path: string) =>
  method + path.replace(/[^A-Za-z]+([A-Za-z]?)/g, (_, letter: string) => letter.toUpperCase())

/** What the schemas do not say: a name for each operation, and headers. */
function complete(path: string, method: string, operation: Operation): void {
  operation['operationId'] = operationIdOf(method, path)
  if (operation[optionalBody] === true && operation.requestBody !== undefined) operation.requestBody['required'] = false
  delete operation[optionalBody]
  const parameters = (operation.parameters ??= [])
  if (method === 'post') parameters.push(idempotencyHeader)
  if (method === 'put' || method === 'patch' || method === 'delete') parameters.push(ifMatchHeader)
  if (parameters.length === 0) delete operation.parameters
  for (const [status, answer] of Object.entries(operation.responses ?? {})) {
    answer['headers'] = { ...answerHeaders, ...headersByStatus[status] }
    if (answer['description'] === 'Default Response') answer['description'] = STATUS_CODES[status]
    if (status === '204') delete answer['content']
  }
}

/** Names of component schemas that `value` refers to. */
function references(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) for (const each of value) references(each, found)
  else if (typeof value === 'object' && value !== null) {
    const { $ref } = value as { $ref?: unknown }
    if (typeof $ref === 'string') found.add($ref.replace('#/components/schemas/', ''))
    for (const each of Object.values(value)) references(each, found)
  }
}

/** Drops component schemas that nothing uses: the conversion makes an input and an output form of each. */
function prune(schemas: Record<string, unknown>, paths: unknown): Record<string, unknown> {
  const used = new Set<string>()
  references(paths, used)
  for (const name of used) references(schemas[name], used)
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
}

/**
 * Generates the OpenAPI 3.1 document from the routes' own schemas. Register before the routes.
 * @param version of the platform
 */
export function installOpenApi(app: FastifyInstance, version: string): void {
  const transformObject = createJsonSchemaTransformObject({})
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Valkeep',
        version,
        description: 'Managed Valkey: tenants, instances, users and the operations that change them.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/' }],
      security: [{ key: [] }],
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key; the first is in admin.key' },
        },
      },
      tags: ['instances', 'users', 'operations', 'tenants', 'shards', 'nodes', 'api-keys', 'platform'].map((name) => ({
        name,
      })),
    },
    transform: createJsonSchemaTransform({}),
    transformObject: (document) => {
      const object = transformObject(document) as unknown as {
        paths: Record<string, Record<string, Operation>>
        components: { schemas: Record<string, unknown> }
      }
      for (const [path, item] of Object.entries(object.paths))
        for (const method of methods) {
          const operation = item[method]
          if (operation !== undefined) complete(path, method, operation)
        }
      object.components.schemas = prune(object.components.schemas, object.paths)
      return object as unknown as ReturnType<typeof transformObject>
    },
  })
}
