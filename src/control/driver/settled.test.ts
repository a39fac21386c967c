import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Operation, OperationStatus } from '../../domain/model/operation.ts'
import { makeSettled } from './settled.ts'

/** The store as far as this room sees it: one operation whose status the test moves. */
function oneOperation(status: OperationStatus) {
  const row = { id: 'op_1', instanceId: 'ins_1', status } as Operation
  let reads = 0
  const settled = makeSettled(async (id) => {
    reads += 1
    return id === row.id ? row : undefined
  })
  return { row, settled, reads: () => reads }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))
const longMs = 60_000

it('ends at once for an operation that is over, or that nobody knows', async () => {
  const { settled } = oneOperation('failed')
  await settled.wait('op_1', longMs)
  await settled.wait('op_2', longMs)
  settled.stop()
})

it('waits through changes that are not the end', async () => {
  const { row, settled } = oneOperation('pending')
  let over = false
  const waiting = settled.wait('op_1', longMs).then(() => {
    over = true
  })
  for (const status of ['running', 'running'] as const) {
    await turn()
    row.status = status
    settled.changed('ins_1')
    settled.changed('ins_2')
  }
  await turn()
  assert.equal(over, false)
  row.status = 'succeeded'
  settled.changed('ins_1')
  await waiting
})

it('reads only when something changed', async () => {
  const { settled, reads } = oneOperation('running')
  const waiting = settled.wait('op_1', longMs)
  await turn()
  const before = reads()
  for (let n = 0; n < 5; n++) await turn()
  assert.equal(reads(), before)
  settled.stop()
  await waiting
})

it('ends when its time is up and when the caller goes away', async () => {
  const { settled } = oneOperation('running')
  await settled.wait('op_1', 1)
  const gone = new AbortController()
  const waiting = settled.wait('op_1', longMs, gone.signal)
  gone.abort()
  await waiting
})
