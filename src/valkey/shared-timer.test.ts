import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeSharedTimer } from './shared-timer.ts'

test('a task called off by another that is due at the same moment never runs; tasks may add tasks', async () => {
  const timer = makeSharedTimer(5)
  const ran: string[] = []
  await new Promise<void>((resolve) => {
    const dueMs = performance.now() + 10
    timer.at(dueMs, () => {
      ran.push('first')
      callOff()
      timer.at(performance.now() + 10, resolve)
    })
    const callOff = timer.at(dueMs, () => ran.push('called off'))
  })
  assert.deepEqual(ran, ['first'])
})

test('a task due earlier than all others is not kept waiting for them', async () => {
  const timer = makeSharedTimer(5)
  const callOff = timer.at(performance.now() + 3_600_000, () => undefined)
  await new Promise<void>((resolve) => timer.at(performance.now() + 1, resolve))
  callOff()
})

test('no task runs before it is due, and all are run', async () => {
  const timer = makeSharedTimer(5)
  const delays = [1, 40, 7, 22, 3, 40, 15, 0]
  const early = await Promise.all(
    delays.map(
      (delay) =>
        new Promise<number>((resolve) => {
          const dueMs = performance.now() + delay
          timer.at(dueMs, () => resolve(Math.min(0, performance.now() - dueMs)))
        }),
    ),
  )
  assert.deepEqual(
    early,
    delays.map(() => 0),
  )
})
