import type { FastifySchemaCompiler } from 'fastify'
import type { ZodType } from 'zod'

/** Validates by zod and hands on zod's own error, so that the answer can name fields by pointer. */
export const zodValidator: FastifySchemaCompiler<never> = ({ schema }) => {
  const zod = schema as unknown as ZodType
  return (data: unknown) => {
    const parsed = zod.safeParse(data)
    return parsed.success ? { value: parsed.data } : { error: parsed.error }
  }
}
