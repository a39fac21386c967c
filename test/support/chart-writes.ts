/** Clients of a release of the chart that count what it promises and keeps, while a test does something to it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Report, Target } from './chart-writer.ts'
import type { Kube } from './kube.ts'
import { until } from './until.ts'

export type Writer = {
  /** Reads everything back without a pause in writing. */
  report(): Promise<Report>
  /** Ends writing, then reads everything back. */
  stop(): Promise<Report>
}

/** Starts `chart-writer.ts`; resolves once something was acknowledged. It ends with the test's process at the latest. */
export async function startWriter(kube: Pick<Kube, 'command' | 'env'>, target: Target): Promise<Writer> {
  const program = fileURLToPath(new URL('./chart-writer.ts', import.meta.url))
  const flags = ['--disable-warning=ExperimentalWarning', program]
  const [command, args] = kube.command(process.execPath, ...flags, JSON.stringify(target))
  const child = spawn(command, args, { env: { ...process.env, ...kube.env }, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  // It holds up nobody who has failed: only while an answer is awaited is it waited for.
  const pipe = child.stdout as Socket
  child.unref()
  pipe.unref()
  ;(child.stdin as Socket).unref()
  const next = async (): Promise<Report> => {
    pipe.ref()
    const { value, done } = (await lines.next()) as { value: string; done?: boolean }
    pipe.unref()
    if (done === true) throw new Error('the writer ended')
    return JSON.parse(value) as Report
  }
  const report = (): Promise<Report> => {
    child.stdin.write('\n')
    return next()
  }
  let last: Report | undefined
  const writes = async () => {
    last = await report()
    return last.acknowledged > 0
  }
  await until(writes, () => `an acknowledged write: ${JSON.stringify(last)}`, 60_000)
  return {
    report,
    async stop() {
      child.ref()
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const told = await next()
      await ended
      return told
    },
  }
}

/** Says what a writer saw, and that nothing of it is gone. */
export function assertKept(t: TestContext, what: string, report: Report): void {
  t.diagnostic(
    `${what}: ${report.acknowledged} acknowledged, ${report.lost} lost, silence ${report.maxSilenceMs} ms ${JSON.stringify(report.errors)}`,
  )
  assert.equal(report.lost, 0, `${what}: ${JSON.stringify(report)}`)
}

/** Waits until every key takes writes again; what it reports is of all the time since the report before. */
export async function writesOn(writer: Writer): Promise<Report> {
  const errors: Record<string, number> = {}
  let maxSilenceMs = 0
  let last: Report | undefined
  const quiet = async () => {
    const before = last
    last = await writer.report()
    maxSilenceMs = Math.max(maxSilenceMs, last.maxSilenceMs)
    for (const [what, times] of Object.entries(last.errors)) errors[what] = (errors[what] ?? 0) + times
    return before !== undefined && last.maxSilenceMs < 1_000 && last.acknowledged > before.acknowledged && last
  }
  const told = await until(quiet, () => `writes: ${JSON.stringify(last)}`, 60_000, 200)
  return { ...told, errors, maxSilenceMs }
}
