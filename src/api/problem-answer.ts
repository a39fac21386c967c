import { z } from 'zod'
import { type FieldError, type Problem, type ProblemCode, problems } from '../domain/problem.ts'

/** The media type of every error (RFC 9457). */
export const problemType = 'application/problem+json'

const codes = Object.keys(problems) as [ProblemCode, ...ProblemCode[]]

/** RFC 9457 with our own members: `code` from the catalogue, `remedy`, the fields at fault, the request's id. */
export const problemView = z
  .object({
    type: z.string().meta({ description: 'The code as a URN', examples: ['urn:valkeep:problem:not-found'] }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    code: z.enum(codes).meta({ description: 'Stable; what a program should look at' }),
    remedy: z.string().meta({ description: 'What to do about it' }),
    retryable: z.boolean().meta({ description: 'The same request may succeed later' }),
    errors: z.array(
      z.object({
        pointer: z.string().meta({ description: 'JSON pointer into the body, or `?name` of a query parameter' }),
        code: z.string(),
        detail: z.string(),
      }),
    ),
    request_id: z.string(),
    operation_id: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'What went wrong and what to do about it' })
export type ProblemAnswer = z.infer<typeof problemView>

/** The answer's body for one problem of the catalogue. */
export function problemAnswer(
  problem: Pick<Problem, 'code' | 'errors' | 'operationId' | 'message'>,
  requestId: string,
): ProblemAnswer {
  const entry: { status: number; title: string; remedy: string; retryable?: boolean } = problems[problem.code]
  return {
    type: `urn:valkeep:problem:${problem.code}`,
    title: entry.title,
    status: entry.status,
    detail: problem.message,
    code: problem.code,
    remedy: entry.remedy,
    retryable: entry.retryable ?? false,
    errors: problem.errors,
    request_id: requestId,
    ...(problem.operationId === null ? {} : { operation_id: problem.operationId }),
  }
}

const maxShown = 200
const cut = (text: string) => (text.length > maxShown ? `${text.slice(0, maxShown)}…` : text)

/** RFC 6901. */
const pointerOf = (path: readonly PropertyKey[]) =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

type Issue = {
  code: string
  path: PropertyKey[]
  message: string
  keys?: string[]
  /** Our own checks name their code here: zod calls all of them `custom`. */
  params?: { code?: string } | undefined
}

/**
 * What a zod error says of a request, by field. Zod's own messages name types and limits and never the value given;
 * our own checks keep to the same rule.
 * @param place `body`: JSON pointers; `querystring`: `?name`
 */
export function fieldErrors(issues: readonly Issue[], place: 'body' | 'querystring'): FieldError[] {
  const pointer = (path: readonly PropertyKey[]) =>
    cut(place === 'body' ? pointerOf(path) : `?${path.map(String).join('.')}`)
  return issues.slice(0, 100).flatMap((issue) =>
    issue.code === 'unrecognized_keys' && issue.keys !== undefined
      ? issue.keys.slice(0, 100).map((key) => ({
          pointer: pointer([...issue.path, key]),
          code: 'unknown_field',
          detail: 'there is no such field',
        }))
      : [
          {
            pointer: pointer(issue.path),
            code: issue.params?.code ?? issue.code,
            detail: cut(issue.message),
          },
        ],
  )
}
