import type { FastifyInstance, FastifyRequest, FastifySchemaCompiler } from 'fastify'
import type { ZodType } from 'zod'
import { Problem } from '../domain/problem.ts'

/** Validates by zod and hands on zod's own error, so that the answer can name fields by pointer. */
export const zodValidator: FastifySchemaCompiler<never> = ({ schema, httpPart }) => {
  const zod = schema as unknown as ZodType
  return (data: unknown) => {
    // Fastify says null where there is no body; the text `null` does not get this far.
    const parsed = zod.safeParse(httpPart === 'body' && data === null ? undefined : data)
    return parsed.success ? { value: parsed.data } : { error: parsed.error }
  }
}

/** Many clients name the content type of a body that they do not send. */
const mayBeEmpty = (request: FastifyRequest): boolean => {
  const body = request.routeOptions.schema?.body as ZodType | undefined
  return body === undefined || body.safeParse(undefined).success
}

/**
 * JSON bodies: `__proto__` and `constructor.prototype` are refused, and `null`, which no route takes. Nothing at all is
 * no body, where a route needs none.
 */
export function installJsonParser(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    if (text === '' && mayBeEmpty(request)) return done(null, undefined)
    // It calls back before it returns; only its type says it might be a promise.
    void parse(request, text as string, (error, body) => {
      if (error !== null || body !== null) return done(error, body)
      const errors = [{ pointer: '', code: 'invalid_type', detail: 'must be an object' }]
      return done(new Problem('invalid', 'the body: must be an object', { errors }))
    })
  })
}
