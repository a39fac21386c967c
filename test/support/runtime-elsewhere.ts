/** One operation of the process runtime in a process of its own, which a test may kill at any moment. */
import { readFileSync } from 'node:fs'
import { makeProcessRuntime } from '../../src/runtime/process/runtime.ts'
import type { ElsewhereJob } from './runtime-contract.ts'

const { job, dirs } = JSON.parse(readFileSync(0, 'utf8')) as {
  job: ElsewhereJob
  dirs: { serversDir: string; socketsDir: string }
}
const runtime = makeProcessRuntime(dirs)
const signal = new AbortController().signal
switch (job.kind) {
  case 'write':
    await runtime.write(job.plan, ['conf', 'acl', 'tls'], job.key)
    break
  case 'start':
    await runtime.start(job.plan, { appendonly: 'yes' }, signal)
    break
  case 'stop':
    await runtime.stop(job.plan.id, 'save', signal)
    break
  case 'remove':
    await runtime.remove(job.plan.id)
}
