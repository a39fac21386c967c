import type { FastifySchema } from 'fastify'
import { z } from 'zod'
import { idSchema, type Noun, type Scope } from '../domain/model/common.ts'
import { type ProblemCode, problems } from '../domain/problem.ts'
import { problemType, problemView } from './problem-answer.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs; `public` needs no key. Every route has one: the app refuses to be built otherwise. */
    scope?: Scope | 'public'
  }
}

/** Routes that take no query: anything in it is an unknown parameter. */
const noQuery = z.strictObject({})
/** Routes that take no body; an empty object is fine. */
export const noBody = z.strictObject({}).optional()

export const idParams = (noun: Noun) => z.object({ id: idSchema(noun) })

/** An integer in a query. A string until it is parsed: `1e1`, `0x1` and lists are refused, which z.coerce would take. */
export const queryInteger = (min: number, max: number, description: string) =>
  z
    .string()
    .check((ctx) => {
      if (/^(0|[1-9][0-9]{0,8})$/.test(ctx.value) && Number(ctx.value) >= min && Number(ctx.value) <= max) return
      ctx.issues.push({ code: 'custom', message: `must be an integer from ${min} to ${max}`, input: ctx.value })
    })
    .transform(Number)
    .meta({ type: 'integer', minimum: min, maximum: max, description })

/** `?limit=` and `?cursor=` of every list. */
export const pageQuery = {
  limit: queryInteger(1, 200, 'How many at most; default 50').optional(),
  cursor: z.string().min(1).max(512).optional().meta({ description: 'next_cursor of the page before' }),
}
export const defaultLimit = 50

/** A page of `item`. */
export const listOf = (item: z.ZodType) =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().meta({ description: 'Send it as ?cursor= for the next page' }),
    has_more: z.boolean(),
  })

type Spec = {
  tag: string
  summary: string
  description?: string
  params?: z.ZodType
  query?: z.ZodType
  body?: z.ZodType
  /** Success answers by status; null: no body. */
  answers: Record<number, z.ZodType | null | { description: string; content: Record<string, { schema: z.ZodType }> }>
  /** Problems beside those that every route of its kind can answer. */
  problems?: ProblemCode[]
  /** No key needed. */
  open?: boolean
}

/** Tells openapi.ts that a request may come without a body. */
export const optionalBody = 'x-optional-body'

const always: ProblemCode[] = ['invalid', 'too-many-requests', 'internal', 'unavailable']
const withKey: ProblemCode[] = ['unauthenticated', 'forbidden']
const withBody: ProblemCode[] = ['malformed-json', 'body-too-large', 'unsupported-media-type']

/** Each problem status with the codes it may carry. */
function problemAnswers(codes: Set<ProblemCode>) {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of codes) {
    const { status } = problems[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      {
        description: of.map((code) => `\`${code}\`: ${problems[code].title}`).join('; '),
        content: { [problemType]: { schema: problemView } },
      },
    ]),
  )
}

/** A route's schema with every status it can answer, for validation and for /openapi.json alike. */
export function routeSchema<S extends Spec>(spec: S) {
  const codes = new Set<ProblemCode>([
    ...always,
    ...(spec.open ? [] : withKey),
    ...(spec.body === undefined ? [] : withBody),
    ...(spec.params === undefined ? [] : (['not-found'] as const)),
    ...(spec.problems ?? []),
  ])
  const answers = Object.fromEntries(
    Object.entries(spec.answers).map(([status, answer]) => [
      status,
      answer ?? z.undefined().meta({ description: 'Done; no body' }),
    ]),
  )
  return {
    tags: [spec.tag],
    summary: spec.summary,
    ...(spec.description === undefined ? {} : { description: spec.description }),
    ...(spec.open ? { security: [] } : {}),
    ...(spec.params === undefined ? {} : { params: spec.params }),
    querystring: spec.query ?? noQuery,
    ...(spec.body?.safeParse(undefined).success ? { [optionalBody]: true } : {}),
    ...(spec.body === undefined ? {} : { body: spec.body }),
    response: { ...answers, ...problemAnswers(codes) } as Record<string, unknown>,
  } as unknown as FastifySchema & {
    params: S['params'] extends z.ZodType ? S['params'] : z.ZodUnknown
    querystring: S['query'] extends z.ZodType ? S['query'] : typeof noQuery
    body: S['body'] extends z.ZodType ? S['body'] : z.ZodUnknown
    response: Record<number, unknown>
  }
}
