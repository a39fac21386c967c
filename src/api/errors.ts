import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { ZodError } from 'zod'
import { Problem, problems } from '../domain/problem.ts'
import { CommitFailed, StoreClosed } from '../store/errors.ts'
import { fieldErrors, problemAnswer, problemType } from './problem-answer.ts'

/** What fastify itself refuses, by its error code. */
const fastifyProblems = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'The body has to be application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['body-too-large', 'The body has more than 64 KiB.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed-json', 'The body cannot be read as JSON.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed-json', 'The body is empty though its content type is JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed-json', 'The body is shorter or longer than Content-Length says.'],
  FST_ERR_BAD_URL: ['not-found', 'The path is not a valid URL.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not-found', 'There is nothing under that id.'],
} as const

/** Validation failures keep zod's own error, so that our pointers are made from its paths. */
export type RequestPlace = 'body' | 'querystring' | 'params' | 'headers'

const notFoundDetail = 'There is nothing under that id, or the key may not see it.'

/** Any error as a problem of the catalogue; what the catalogue does not know is `internal`, its message kept out. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const { code, validationContext } = (error ?? {}) as FastifyError & { validationContext?: RequestPlace }
  if (validationContext === 'params') return new Problem('not-found', notFoundDetail)
  if (validationContext !== undefined && error instanceof ZodError) {
    const errors = fieldErrors(error.issues, validationContext === 'querystring' ? 'querystring' : 'body')
    const first = errors[0]
    const detail = first === undefined ? 'The request is not valid.' : `${first.pointer || 'the body'}: ${first.detail}`
    return new Problem('invalid', detail, { errors })
  }
  const known = Object.hasOwn(fastifyProblems, code ?? '')
    ? fastifyProblems[code as keyof typeof fastifyProblems]
    : undefined
  if (known !== undefined) return new Problem(known[0], known[1])
  if (error instanceof StoreClosed) return new Problem('unavailable', 'The platform is ending.')
  if (error instanceof CommitFailed) {
    return new Problem('unavailable', 'The change could not be written to disk; nothing of it happened.')
  }
  if (error instanceof SyntaxError) return new Problem('malformed-json', 'The body holds a key that is not allowed.')
  return new Problem('internal', 'The platform failed on this request.')
}

/** The headers of every answer. */
export function secure(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id)
  reply.header('x-content-type-options', 'nosniff')
  reply.header('referrer-policy', 'no-referrer')
  if (reply.getHeader('cache-control') === undefined) reply.header('cache-control', 'no-store')
  if (reply.getHeader('content-security-policy') === undefined) {
    reply.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  }
}

/** What cannot be read as HTTP gets the same kind of answer, written by hand: there is no request. */
export function answerMalformed(socket: Socket, requestId: string): void {
  if (!socket.writable) return
  const problem = new Problem('malformed-request', 'This is not HTTP, or its headers are too long.')
  const body = JSON.stringify(problemAnswer(problem, requestId))
  const head = ['HTTP/1.1 400 Bad Request', `content-type: ${problemType}`, `content-length: ${body.length}`]
  socket.end([...head, `x-request-id: ${requestId}`, 'connection: close', '', body].join('\r\n'))
}

/** Answers a problem. `Retry-After` comes with what may be tried again. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const body = problemAnswer(problem, request.id)
  if (body.status === 401) reply.header('www-authenticate', 'Bearer realm="valkeep"')
  if (body.status === 503) reply.header('retry-after', '1')
  return reply.code(body.status).type(problemType).send(JSON.stringify(body))
}

type Known = { method: string; segments: string[] }

const matches = (segments: string[], path: string[]) =>
  segments.length === path.length && segments.every((part, i) => part.startsWith(':') || part === path[i])

/**
 * Errors of every kind become problems; an unknown path is 404, a known path under another method 405 with `Allow`.
 * @param onRefused called for each problem before it is answered; what it throws is logged
 */
export function installErrors(
  app: FastifyInstance,
  onRefused: (request: FastifyRequest, problem: Problem) => Promise<void>,
): void {
  const routes: Known[] = []
  app.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) routes.push({ method, segments: route.url.split('/') })
  })

  const nowhere = (request: FastifyRequest, reply: FastifyReply) => {
    const path = (request.url.split('?')[0] ?? '').split('/')
    const allowed = routes.filter((route) => matches(route.segments, path)).map((route) => route.method)
    if (allowed.length === 0) return sendProblem(request, reply, new Problem('not-found', 'There is no such path.'))
    reply.header('allow', [...new Set(allowed)].sort().join(', '))
    return sendProblem(request, reply, new Problem('method-not-allowed', `${request.method} is not possible here.`))
  }

  const answer = async (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    // Whatever is wrong with the body of a request to nowhere, there is nobody to read it.
    if (request.is404) return nowhere(request, reply)
    const problem = toProblem(error)
    if (problems[problem.code].status >= 500) request.log.error({ err: error }, 'request failed')
    try {
      await onRefused(request, problem)
    } catch (failure) {
      request.log.error({ err: failure }, 'a refusal could not be recorded')
    }
    return sendProblem(request, reply, problem)
  }

  app.setErrorHandler(answer)
  app.setNotFoundHandler(nowhere)
}
