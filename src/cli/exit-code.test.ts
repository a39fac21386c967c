import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ProblemCode, problems } from '../domain/problem.ts'
import { errorText } from './error-report.ts'
import { CliError, exitCodeMeaning, exitCodeOf, exitCodeOfStatus, exitCodes, hints, problemError } from './exit-code.ts'

test('every problem of the catalogue has a hint and a fitting exit code', () => {
  const expected: Partial<Record<ProblemCode, number>> = {
    unauthenticated: 4,
    forbidden: 4,
    'not-found': 5,
    'name-taken': 6,
    'no-room': 6,
    'wrong-state': 6,
    protected: 6,
    'precondition-failed': 6,
    'idempotency-conflict': 6,
    invalid: 1,
    internal: 1,
  }
  for (const [code, { status, title }] of Object.entries(problems)) {
    const error = problemError(status, { code, title })
    assert.equal(error.next, hints[code as ProblemCode])
    const wanted = expected[code as ProblemCode]
    if (wanted !== undefined) assert.equal(error.exitCode, wanted, code)
  }
  assert.deepEqual(Object.keys(hints).sort(), Object.keys(problems).sort())
})

test('every exit code has a meaning', () => {
  assert.deepEqual(Object.keys(exitCodeMeaning).map(Number).sort(), Object.values(exitCodes).sort())
})

test('statuses map to exit codes', () => {
  const cases = { 400: 1, 401: 4, 403: 4, 404: 5, 408: 7, 409: 6, 412: 6, 422: 1, 429: 1, 500: 1, 503: 1, 504: 7 }
  for (const [status, code] of Object.entries(cases)) assert.equal(exitCodeOfStatus(Number(status)), code, status)
  assert.equal(exitCodeOf(new Error('x')), 1)
  assert.equal(exitCodeOf(new CliError(exitCodes.timeout, 'x')), 7)
})

test('a problem says what happened, why, and what to type next', () => {
  const error = problemError(422, {
    title: 'The request does not fit the schema',
    detail: 'Two fields are wrong',
    code: 'invalid',
    errors: [{ pointer: '/name', detail: 'must start with a-z' }, { detail: 'no body' }],
  })
  assert.equal(
    errorText(error),
    'Error: The request does not fit the schema: Two fields are wrong\n' +
      '  NAME: must start with a-z\n' +
      '  the request: no body\n' +
      `Next: ${hints.invalid}`,
  )
})

test('a code that this version does not know falls back on the remedy', () => {
  assert.equal(problemError(409, { code: 'from-the-future', remedy: 'Wait.' }).next, 'Wait.')
  assert.equal(problemError(409, { code: 'constructor' }).next, null)
  assert.match(problemError(500, { request_id: 'r-1' }).reasons.join(), /r-1/)
})

test('a server cannot steer the terminal with its errors', () => {
  const text = errorText(problemError(409, { title: 'no\u001b[2J', detail: 'a\u0007b\u009bc\rd' }))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be there
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/)
})
