import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OperationStep } from '../../domain/model/operation.ts'
import type { Step } from '../../domain/plan/step.ts'
import { makeStepLog } from './step-log.ts'

const server = { id: 'srv_1', adminRef: 'sec_1' }
const step: Step = { kind: 'stop', nodeId: 'nod_1', server, timeoutMs: 1_000, reason: 'it is to be stopped' }
const now = () => '2026-01-01T00:00:00.000Z'

test('a short step is taken once, as it ended', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const saved: OperationStep[][] = []
  const log = makeStepLog(now, (steps) => saved.push(steps))
  log.begin(step, 1)(null)
  log.begin(step, 2)('it would not end')
  assert.deepEqual(
    log.take().map(({ seq, attempt, status, error }) => [seq, attempt, status, error]),
    [
      [1, 1, 'succeeded', null],
      [2, 2, 'failed', 'it would not end'],
    ],
  )
  t.mock.timers.tick(10_000)
  assert.deepEqual(saved, [])
  assert.deepEqual(log.take(), [])
})

test('a long step is shown while it is under way, and again at its end', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const saved: string[] = []
  const log = makeStepLog(now, (steps) => saved.push(...steps.map(({ seq, status }) => `${seq} ${status}`)))
  const end = log.begin(step, 1)
  t.mock.timers.tick(100)
  assert.deepEqual(saved, ['1 running'])
  end(null)
  t.mock.timers.tick(100)
  assert.deepEqual(saved, ['1 running', '1 succeeded'])
})
