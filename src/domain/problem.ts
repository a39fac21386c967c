/** Every error the API can answer, in one catalogue: tested both ways, all used and all documented. */

type Entry = { status: number; title: string; remedy: string; retryable?: boolean }

export const problems = {
  'malformed-json': { status: 400, title: 'The body is not JSON', remedy: 'Send one JSON document.' },
  'malformed-request': {
    status: 400,
    title: 'The request cannot be read as HTTP',
    remedy: 'Send HTTP/1.1 with headers of at most 16 KiB.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid API key',
    remedy: 'Send `Authorization: Bearer KEY`; the first admin key is in admin.key in the data directory.',
  },
  forbidden: { status: 403, title: 'The key lacks the scope', remedy: 'Use a key with the scope named in the detail.' },
  'not-found': { status: 404, title: 'Not found', remedy: 'Check the id, and that the key belongs to its tenant.' },
  'method-not-allowed': { status: 405, title: 'Method not allowed', remedy: 'See /openapi.json.' },
  'name-taken': { status: 409, title: 'The name is taken', remedy: 'Choose another name.' },
  'not-empty': { status: 409, title: 'Not empty', remedy: 'Delete what it holds first.' },
  'no-room': { status: 409, title: 'Not enough memory', remedy: 'Ask for less, delete an instance, or add capacity.' },
  'no-port': {
    status: 409,
    title: 'No free port on the node',
    remedy: 'Widen the port range or wait for the cool-down.',
  },
  'limit-reached': {
    status: 409,
    title: "The tenant's limit is reached",
    remedy: 'Raise the limit, or delete something.',
  },
  'wrong-state': { status: 409, title: 'Not possible in this state', remedy: 'Look at the status and its message.' },
  protected: {
    status: 409,
    title: 'Protected from deletion',
    remedy: 'PATCH deletion_protection to false first.',
  },
  'idempotency-conflict': {
    status: 409,
    title: 'The idempotency key was used for another request',
    remedy: 'Use a new key for a new request.',
  },
  'precondition-failed': { status: 412, title: 'Changed meanwhile', remedy: 'Read it again and send its new ETag.' },
  'body-too-large': { status: 413, title: 'The body is too large', remedy: 'Send at most 64 KiB.' },
  'unsupported-media-type': {
    status: 415,
    title: 'Not application/json',
    remedy: 'Send `Content-Type: application/json`.',
  },
  invalid: { status: 422, title: 'The request does not fit the schema', remedy: 'Mend the fields named in errors.' },
  'too-many-requests': {
    status: 429,
    title: 'Too many requests',
    remedy: 'Wait as long as Retry-After says.',
    retryable: true,
  },
  internal: {
    status: 500,
    title: 'The platform failed',
    remedy: "Look for the request id in the platform's log.",
    retryable: true,
  },
  unavailable: { status: 503, title: 'Not ready', remedy: 'Try again in a moment.', retryable: true },
} as const satisfies Record<string, Entry>

export type ProblemCode = keyof typeof problems

/** One field that is wrong, by JSON pointer. Never echoes a secret. */
export type FieldError = { pointer: string; code: string; detail: string }

/** Thrown by use cases and routes; becomes an RFC 9457 answer. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly errors: FieldError[]
  readonly operationId: string | null
  constructor(code: ProblemCode, detail: string, extra: { errors?: FieldError[]; operationId?: string } = {}) {
    super(detail)
    this.name = 'Problem'
    this.code = code
    this.errors = extra.errors ?? []
    this.operationId = extra.operationId ?? null
  }
}
