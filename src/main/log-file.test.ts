import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { makeLog } from './log.ts'
import { openLogFile } from './log-file.ts'

function logPath(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'vk-log-'))
  t.after(() => rmSync(dir, { recursive: true }))
  return join(dir, 'platform.log')
}

it('moves a full log aside, and goes on in a new one that is nobody else’s to read', (t) => {
  const path = logPath(t)
  const log = openLogFile(path, 20)
  for (const line of ['one is long enough for it\n', 'two\n', 'three\n']) log.write(line)
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'one is long enough for it\n')
  assert.equal(readFileSync(path, 'utf8'), 'two\nthree\n')
  assert.equal(statSync(path).mode & 0o777, 0o600)
  openLogFile(path, 5).write('four\n')
  assert.equal(readFileSync(path, 'utf8'), 'four\n', 'what an earlier start wrote counts')
})

it('says how much was lost once there is room again', (t) => {
  const path = logPath(t)
  const log = openLogFile(path, 3)
  log.write('one\n')
  rmSync(path)
  // There is nothing to move aside: this write fails.
  log.write('two\n')
  assert.ok(!existsSync(path))
  openLogFile(path).write('')
  log.write('three\n')
  assert.match(readFileSync(`${path}.1`, 'utf8'), /^{"level":40,"lost":1,.*}\n$/)
  assert.equal(readFileSync(path, 'utf8'), 'three\n')
})

it('ends nobody on a full disk', (t) => {
  if (!existsSync('/dev/full')) return t.skip('SKIPPED: there is no /dev/full here')
  const log = makeLog({ logLevel: 'info', logFile: '/dev/full' })
  for (let line = 0; line < 3; line++) log.info('lost')
})
