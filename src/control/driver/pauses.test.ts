import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { makePauses } from './pauses.ts'

/** Pauses on a clock that the test moves. */
function clocked(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const looks: string[] = []
  const pauses = makePauses((id) => looks.push(id), Date.now)
  return { pauses, looks, pass: (ms: number) => t.mock.timers.tick(ms) }
}

it('lets a first restart happen at once, and a crash loop wait longer each time', (t) => {
  const { pauses, looks, pass } = clocked(t)
  assert.equal(pauses.pausing('a'), false)
  pauses.restarted('a')
  assert.equal(pauses.pausing('a'), false, 'killed once more right away: back at once')
  const waits: number[] = []
  for (let n = 0; n < 9; n++) {
    pauses.restarted('a')
    let waited = 0
    while (pauses.pausing('a')) {
      pass(500)
      waited += 500
    }
    waits.push(waited)
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  assert.ok(looks.length >= waits.length, 'a look follows each pause')
})

it('forgets a crash loop a minute after the last pause', (t) => {
  const { pauses, pass } = clocked(t)
  for (let n = 0; n < 4; n++) pauses.restarted('a')
  pass(65_000)
  pauses.forget('a')
  pauses.restarted('a')
  assert.equal(pauses.pausing('a'), false)
})

it('looks again after a failure, later and later, at most every ten minutes', (t) => {
  const { pauses, looks, pass } = clocked(t)
  const waits: number[] = []
  for (let n = 0; n < 12; n++) {
    pauses.failed('a')
    const before = looks.length
    let waited = 0
    while (looks.length === before) {
      pass(1_000)
      waited += 1_000
    }
    waits.push(waited / 1_000)
  }
  assert.deepEqual(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600])
})

it('holds one instance up, not its neighbour', (t) => {
  const { pauses } = clocked(t)
  pauses.failed('a')
  assert.equal(pauses.pausing('a'), true)
  assert.equal(pauses.pausing('b'), false)
})

it('keeps a reason until it is taken', (t) => {
  const { pauses } = clocked(t)
  pauses.suspect('a', 'went away')
  assert.equal(pauses.takeReason('a'), 'went away')
  assert.equal(pauses.takeReason('a'), null)
})

it('looks at nothing once stopped', (t) => {
  const { pauses, looks, pass } = clocked(t)
  pauses.failed('a')
  pauses.stop()
  pauses.failed('b')
  pass(3_600_000)
  assert.deepEqual(looks, [])
})
