import type { ProblemCode } from '../domain/problem.ts'
import { type FieldProblem, fieldLine } from './problem-words.ts'

/** What a script may rely on; documented in docs/reference/cli.md. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  notFound: 5,
  conflict: 6,
  timeout: 7,
  interrupted: 130,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Each code with its meaning, for the reference. */
export const exitCodeMeaning: Record<ExitCode, string> = {
  0: 'done',
  1: 'the operation failed, or the platform refused the request',
  2: 'the command line or a setting is wrong',
  3: 'the platform cannot be reached',
  4: 'no valid API key, or one that lacks the scope',
  5: 'not found',
  6: 'conflict: a name is taken, there is no room, or the state does not allow it',
  7: 'it took too long; the operation may still go on',
  130: 'interrupted by Ctrl-C or another signal; an operation that was begun goes on',
}

/** Exit code of an HTTP answer that is an error. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.denied
  if (status === 404) return exitCodes.notFound
  if (status === 409 || status === 412) return exitCodes.conflict
  if (status === 408 || status === 504) return exitCodes.timeout
  return exitCodes.failed
}

/** Ends the command: what happened, why (one line each), and what to type next. Holds no secret. */
export class CliError extends Error {
  readonly exitCode: ExitCode
  readonly reasons: readonly string[]
  readonly next: string | null
  /** HTTP status, where the platform refused. */
  readonly status: number | null
  /** Code of the problem that the platform answered with. */
  readonly code: string | null
  constructor(
    exitCode: ExitCode,
    message: string,
    extra: { reasons?: readonly string[]; next?: string | null; status?: number | null; code?: string | null } = {},
  ) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.reasons = extra.reasons ?? []
    this.next = extra.next ?? null
    this.status = extra.status ?? null
    this.code = extra.code ?? null
  }
}

/** A wrong command line that only the command itself could see. */
export const usageError = (message: string, next: string | null = null) =>
  new CliError(exitCodes.usage, message, { next })

/** What to do next for each problem the API can answer. */
export const hints: Record<ProblemCode, string> = {
  'malformed-json':
    'This is a fault of this program: check that its version is that of the platform (valkeep --version).',
  'malformed-request':
    'This is a fault of this program: check that its version is that of the platform (valkeep --version).',
  unauthenticated:
    'Name the file of a valid key: --key-file FILE (the first admin key: admin.key in the data directory).',
  forbidden: 'An admin can make a key with that scope: valkeep key create NAME --scope SCOPE',
  'not-found': 'See what there is: valkeep instance list (another tenant: --tenant NAME)',
  'method-not-allowed': 'Check that the version of this program is that of the platform: valkeep --version',
  'name-taken': 'Choose another name; what there is: valkeep instance list',
  'not-empty': 'Delete what it holds first: valkeep instance list --all-tenants',
  'no-room': 'Ask for less with --memory-mb, or see what is reserved where: valkeep node list',
  'no-port': 'Widen port_min and port_max of the platform, or wait until deleted ports have cooled down.',
  'limit-reached': "See the tenant's limits: valkeep tenant get NAME",
  'wrong-state': 'Look at its status: valkeep instance get NAME, valkeep operation list',
  protected: 'Take the protection off first: valkeep instance update NAME --no-deletion-protection',
  'idempotency-conflict': 'Run the command again: it uses a new key each time.',
  'precondition-failed': 'Somebody changed it meanwhile: look at it and run the command again.',
  'body-too-large': 'Send less at once.',
  'unsupported-media-type': 'Check that the version of this program is that of the platform: valkeep --version',
  invalid: 'Mend the fields above and run the command again; see its --help.',
  'too-many-requests': 'Wait a moment and run the command again.',
  internal: "Look for the request id in the platform's log (platform.log in its data directory).",
  unavailable: 'Wait a moment and run the command again: valkeep status',
}

/** What the API answers on errors, as far as this program looks at it (RFC 9457). */
export type ProblemBody = {
  title?: string
  detail?: string
  code?: string
  remedy?: string
  errors?: FieldProblem[]
  request_id?: string
}

/** What happened, why, and what to type next, from a problem answer. */
export function problemError(status: number, body: ProblemBody): CliError {
  const { title = `The platform answered ${status}`, detail, errors = [] } = body
  const reasons = errors.map(fieldLine)
  // The detail of a wrong field is that field's line again.
  const repeats = errors.some((e) => detail === `${e.pointer || 'the body'}: ${e.detail}` || detail === e.detail)
  if (status >= 500 && body.request_id) reasons.push(`request id: ${body.request_id}`)
  const hint = body.code !== undefined && Object.hasOwn(hints, body.code) ? hints[body.code as ProblemCode] : undefined
  const says = detail !== undefined && detail !== title && !repeats
  const message = says ? `${title}: ${detail}` : title
  const next = hint ?? body.remedy ?? null
  return new CliError(exitCodeOfStatus(status), message, { reasons, next, status, code: body.code ?? null })
}

/** Exit code of whatever a command threw. */
export const exitCodeOf = (error: unknown): ExitCode => (error instanceof CliError ? error.exitCode : exitCodes.failed)
