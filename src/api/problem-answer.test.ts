import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { Problem, type ProblemCode, problems } from '../domain/problem.ts'
import { CommitFailed, StoreClosed } from '../store/errors.ts'
import { toProblem } from './errors.ts'
import { fieldErrors, problemAnswer, problemView } from './problem-answer.ts'

test('every problem of the catalogue answers in the documented shape', () => {
  for (const code of Object.keys(problems) as ProblemCode[]) {
    const problem = new Problem(code, 'what happened', { operationId: 'op_1' })
    const answer = problemView.parse(problemAnswer(problem, 'req_1'))
    assert.equal(answer.status, problems[code].status)
    assert.deepEqual([answer.code, answer.detail, answer.operation_id], [code, 'what happened', 'op_1'])
    assert.ok(answer.remedy.endsWith('.'), `${code}: what to do is a sentence`)
  }
})

test('fields are named by JSON pointer, unknown ones each, and a value given never comes back', () => {
  const schema = z.strictObject({ users: z.array(z.strictObject({ password: z.string().min(12) })), 'a/b~c': z.int() })
  const given = { users: [{ password: 'p4ss', extra: 1 }, 'p4ss'], 'a/b~c': 'p4ss', more: 1, 'x/y': 2 }
  const { error } = schema.safeParse(given)
  assert.ok(error)
  const errors = fieldErrors(error.issues, 'body')
  assert.deepEqual(errors.map(({ pointer }) => pointer).sort(), [
    '/a~1b~0c',
    '/more',
    '/users/0/extra',
    '/users/0/password',
    '/users/1',
    '/x~1y',
  ])
  assert.ok(!JSON.stringify(errors).includes('p4ss'))
})

test('a flood of faults is cut', () => {
  const { error } = z.strictObject({}).safeParse({ ['k'.repeat(10_000)]: 1 })
  assert.ok(error)
  assert.ok(String(fieldErrors(error.issues, 'body')[0]?.pointer).length < 300)
  const many = z.array(z.string()).safeParse(Array(5_000).fill(1))
  assert.ok(many.error)
  assert.equal(fieldErrors(many.error.issues, 'body').length, 100)
})

test('an error that nobody expected keeps its message to itself', () => {
  const problem = toProblem(new Error('password is hunter2'))
  assert.deepEqual([problem.code, problem.message.includes('hunter2')], ['internal', false])
  assert.equal(toProblem(undefined).code, 'internal')
})

test('a change that did not reach the disk may be tried again', () => {
  for (const error of [new CommitFailed(new Error('disk I/O error')), new StoreClosed()]) {
    assert.equal(toProblem(error).code, 'unavailable')
  }
})
