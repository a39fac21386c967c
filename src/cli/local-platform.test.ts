import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { CliError } from './exit-code.ts'
import { findLocalPlatform, readKeyFile, readPlatformFile } from './local-platform.ts'
import { processStartTime } from './process-identity.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'valkeep-test-'))
})
afterEach(() => rmSync(home, { recursive: true }))

const write = (content: unknown) =>
  writeFileSync(join(home, 'platform.json'), typeof content === 'string' ? content : JSON.stringify(content))

test('a platform is found by its process and when that began', () => {
  const start_time = processStartTime(process.pid)
  assert.ok(start_time)
  write({ pid: process.pid, start_time, url: 'http://127.0.0.1:1' })
  const url = 'http://127.0.0.1:1'
  assert.deepEqual(findLocalPlatform(home), { pid: process.pid, start_time, url, cert_pem: null })
  write({ pid: process.pid, start_time, url, cert_pem: 'PEM' })
  assert.equal(findLocalPlatform(home)?.cert_pem, 'PEM')
  // The number was handed out again.
  write({ pid: process.pid, start_time: `${start_time}0`, url: 'http://127.0.0.1:1' })
  assert.equal(findLocalPlatform(home), null)
  assert.equal(readPlatformFile(home)?.pid, process.pid)
})

test('a file that says nothing of use is no platform', () => {
  assert.equal(findLocalPlatform(home), null)
  for (const content of [
    '',
    '{',
    'null',
    { pid: 'x', start_time: '1', url: 'u' },
    { pid: 1, url: 'u' },
    { pid: -1, start_time: '1', url: 'u' },
  ]) {
    write(content)
    assert.equal(findLocalPlatform(home), null)
  }
})

test('a process that has ended has no start time, a zombie neither', async () => {
  const child = spawn('sleep', ['60'])
  const pid = child.pid ?? 0
  assert.ok(processStartTime(pid))
  assert.equal(processStartTime(pid), processStartTime(pid))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
  assert.equal(processStartTime(pid), null)
  for (const wrong of [0, -1, 1.5, Number.NaN]) assert.equal(processStartTime(wrong), null)
})

test('a key file holds one key', () => {
  const file = join(home, 'k')
  writeFileSync(file, 'vk_abc\n')
  assert.equal(readKeyFile(file), 'vk_abc')
  for (const content of ['', 'two words', 'two\nlines', 'kéy']) {
    writeFileSync(file, content)
    assert.throws(
      () => readKeyFile(file),
      (error: CliError) => error.exitCode === 4 && (content === '' || !error.message.includes(content)),
    )
  }
  assert.throws(() => readKeyFile(join(home, 'none')), /ENOENT/)
})
