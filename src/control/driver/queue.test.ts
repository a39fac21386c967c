import assert from 'node:assert/strict'
import { it } from 'node:test'
import { makeInstanceQueue } from './queue.ts'

/** A run that lasts until it is told to end. */
function gates() {
  const open = new Map<string, () => void>()
  const begun: string[] = []
  const run = (id: string) => {
    begun.push(id)
    return new Promise<void>((resolve) => open.set(id, resolve))
  }
  return { run, begun, end: (id: string) => open.get(id)?.() }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

it('runs one instance one after the other, however often it is asked, and others beside it', async () => {
  const { run, begun, end } = gates()
  const queue = makeInstanceQueue(run, 4)
  queue.request('a')
  queue.request('a')
  queue.request('a')
  queue.request('b')
  assert.deepEqual(begun, ['a', 'b'])
  end('a')
  await turn()
  assert.deepEqual(begun, ['a', 'b', 'a'], 'three requests meanwhile are one more run')
  end('a')
  await turn()
  queue.request('a')
  assert.deepEqual(begun, ['a', 'b', 'a', 'a'])
  for (const id of ['a', 'b']) end(id)
  await queue.drain()
})

it('never fills more slots than it has, and serves them in turn', async () => {
  const queue = makeInstanceQueue(async () => undefined, 2)
  const ends: (() => void)[] = []
  let working = 0
  let most = 0
  const order: number[] = []
  const works = [0, 1, 2, 3, 4].map((n) =>
    queue.slot(async () => {
      working += 1
      most = Math.max(most, working)
      order.push(n)
      await new Promise<void>((resolve) => ends.push(resolve))
      working -= 1
    }),
  )
  await turn()
  assert.deepEqual(queue.queue(), { running: 2, waiting: 3 })
  while (order.length < 5 || ends.length > 0) {
    ends.shift()?.()
    await turn()
  }
  await Promise.all(works)
  assert.equal(most, 2)
  assert.deepEqual(order, [0, 1, 2, 3, 4])
  assert.deepEqual(queue.queue(), { running: 0, waiting: 0 })
})

it('gives a slot back when the work fails', async () => {
  const queue = makeInstanceQueue(async () => undefined, 1)
  await assert.rejects(queue.slot(() => Promise.reject(new Error('no'))))
  assert.equal(await queue.slot(async () => 7), 7)
})

it('drains: what runs ends, what is asked then is dropped', async () => {
  const { run, begun, end } = gates()
  const queue = makeInstanceQueue(run, 4)
  queue.request('a')
  queue.request('a')
  const drained = queue.drain()
  queue.request('b')
  end('a')
  await drained
  assert.deepEqual(begun, ['a'])
})
