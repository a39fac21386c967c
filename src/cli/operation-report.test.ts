import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { makeApiClient } from './api-client.ts'
import type { Context } from './context.ts'
import { CliError } from './exit-code.ts'
import { assertSucceeded, follow, hasEnded, plainProgress, stepLine } from './operation-report.ts'
import type { Session } from './session.ts'
import type { OperationView, StepView } from './views.ts'

const step = (change: Partial<StepView> = {}): StepView => ({
  seq: 1,
  kind: 'start',
  server_id: 'srv_1',
  attempt: 1,
  status: 'succeeded',
  started_at: '2026-01-01T00:00:00.000Z',
  finished_at: '2026-01-01T00:00:00.012Z',
  error: null,
  ...change,
})
const operation = (change: Partial<OperationView>): OperationView => ({
  id: 'op_1',
  kind: 'create',
  instance_id: 'ins_1',
  user_id: null,
  tenant_id: null,
  target_generation: 1,
  status: 'running',
  attempts: 1,
  cause: null,
  note: null,
  steps: [],
  actor: 'key:admin',
  request_id: null,
  created_at: '2026-01-01T00:00:00.000Z',
  started_at: null,
  finished_at: null,
  ...change,
})

test('a step is one line', () => {
  assert.equal(stepLine(step()), 'start: done (12 ms)')
  assert.equal(stepLine(step({ finished_at: '2026-01-01T00:00:02.500Z' })), 'start: done (2.5 s)')
  assert.equal(stepLine(step({ finished_at: null, status: 'running' })), 'start: running')
  assert.equal(
    stepLine(step({ status: 'failed', attempt: 2, error: 'port\ntaken' })),
    'start: failed (12 ms), attempt 2: port taken',
  )
})

test('each step is written once, when it has ended', () => {
  const lines: string[] = []
  const progress = plainProgress((line) => lines.push(line))
  progress(operation({ steps: [step({ status: 'running', finished_at: null })] }))
  assert.deepEqual(lines, [])
  progress(operation({ steps: [step(), step({ seq: 2, status: 'running', finished_at: null })] }))
  progress(operation({ steps: [step(), step({ seq: 2, kind: 'set-users' })] }))
  assert.deepEqual(lines, ['  start: done (12 ms)', '  set-users: done (12 ms)'])
})

test('how an operation ended decides the exit code and the next command', () => {
  const thrown = (change: Partial<OperationView>): CliError => {
    try {
      assertSucceeded(operation(change))
    } catch (error) {
      assert.ok(error instanceof CliError)
      return error
    }
    return assert.fail('did not throw')
  }
  assertSucceeded(operation({ status: 'succeeded' }))
  const failed = thrown({
    status: 'failed',
    cause: { code: 'port-taken', message: 'A stranger has it.', remedy: 'End it.' },
  })
  assert.equal(failed.exitCode, 1)
  assert.deepEqual(failed.reasons, ['port-taken: A stranger has it.', 'operation: op_1'])
  assert.equal(failed.next, 'End it. Then: valkeep instance retry ins_1')
  const nextOf = (remedy: string) =>
    thrown({ status: 'failed', cause: { code: 'data-gone', message: 'It is gone.', remedy } }).next
  assert.equal(nextOf('put it back, then retry'), 'put it back. Then: valkeep instance retry ins_1')
  assert.equal(
    nextOf('put it back, or accept it: retry with accept_data "empty"'),
    'put it back, or accept it: valkeep instance retry ins_1 --accept-data empty',
  )
  assert.match(thrown({ status: 'failed', user_id: 'usr_1' }).next ?? '', /valkeep user retry usr_1/)
  assert.equal(thrown({ status: 'superseded' }).exitCode, 6)
  assert.equal(thrown({ status: 'cancelled' }).exitCode, 1)
})

test('an operation has ended where nothing more will happen', () => {
  const statuses = ['pending', 'running', 'succeeded', 'failed', 'cancelled', 'superseded'] as const
  assert.deepEqual(
    statuses.map((status) => hasEnded(operation({ status }))),
    [false, false, true, true, true, true],
  )
})

/** A platform whose one operation never ends, and what a person is told meanwhile. */
async function neverEnding() {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(operation({ steps: [step()] })))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => server.close())
  const { port } = server.address() as AddressInfo
  const lines: string[] = []
  let interrupt = () => {}
  const context = {
    stdout: { isTTY: false },
    stderr: { isTTY: false },
    onSignal(handler: (signal: NodeJS.Signals) => void) {
      interrupt = () => handler('SIGINT')
      return () => {
        interrupt = () => {}
      }
    },
  } as unknown as Context
  const note = (line: string) => {
    lines.push(line)
    if (lines.length === 2) interrupting?.()
  }
  let interrupting: (() => void) | null = null
  const session = { context, client: makeApiClient(new URL(`http://127.0.0.1:${port}`), 'k'), note } as Session
  return { session, lines, interruptAfterFirstStep: () => (interrupting = () => interrupt()) }
}

test('waiting ends when its time is up, and says how to go on', async () => {
  const { session, lines } = await neverEnding()
  await assert.rejects(follow(session, 'op_1', 'Creating x', 0), (error: CliError) => {
    assert.equal(error.exitCode, 7)
    assert.match(error.next ?? '', /valkeep operation wait op_1/)
    return true
  })
  assert.deepEqual(lines, ['Creating x (op_1)', '  start: done (12 ms)'])
})

test('Ctrl-C ends the waiting, not the operation', async () => {
  const { session, interruptAfterFirstStep } = await neverEnding()
  interruptAfterFirstStep()
  await assert.rejects(follow(session, 'op_1', 'Creating x', 60), (error: CliError) => {
    assert.equal(error.exitCode, 130)
    assert.match(error.next ?? '', /It goes on: valkeep operation wait op_1/)
    return true
  })
})
