// Loaded by `node --import` into each test process: ends it when its file has run for VALKEEP_TEST_FILE_TIMEOUT_MS.
// Node's own --test-timeout is per test; it does not end a file that a handle keeps open or that spins. Hence a thread, and SIGKILL.
import { isMainThread, Worker } from 'node:worker_threads'

function watch() {
  const { writeSync } = require('node:fs')
  const { workerData } = require('node:worker_threads')
  setTimeout(() => {
    writeSync(2, `${workerData.file} ran for more than ${workerData.timeoutMs} ms and was ended\n`)
    process.kill(process.pid, 'SIGKILL')
  }, workerData.timeoutMs)
}

// The runner has the option too; it runs tests itself only where nothing is isolated.
const runsTests = process.env.NODE_TEST_CONTEXT !== undefined || process.execArgv.includes('--test-isolation=none')
if (isMainThread && runsTests) {
  const workerData = {
    file: process.argv[1] ?? 'the test run',
    timeoutMs: Number(process.env.VALKEEP_TEST_FILE_TIMEOUT_MS),
  }
  new Worker(`(${watch})()`, { eval: true, execArgv: [], workerData }).unref()
}
