/** Waits for an operation and shows its steps: a live list on a terminal, plain lines in a pipe; on stderr always. */
import { type Answer, path } from './api-client.ts'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './exit-code.ts'
import type { Session } from './session.ts'
import { printable } from './text.ts'
import type { OperationView, StepView } from './views.ts'

const ended = new Set<OperationView['status']>(['succeeded', 'failed', 'cancelled', 'superseded'])
export const hasEnded = (operation: OperationView): boolean => ended.has(operation.status)

/** One step in a line: what, how it went, how long it took. */
export function stepLine(step: StepView): string {
  const ms = step.finished_at === null ? null : Date.parse(step.finished_at) - Date.parse(step.started_at)
  const time = ms === null ? '' : ` (${ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`})`
  const attempt = step.attempt > 1 ? `, attempt ${step.attempt}` : ''
  const outcome = step.status === 'succeeded' ? 'done' : step.status
  return printable(`${step.kind}: ${outcome}${time}${attempt}${step.error ? `: ${step.error}` : ''}`).replaceAll(
    '\n',
    ' ',
  )
}

/** A remedy with the command that it asks for in its place: what may be accepted is a flag here. */
function nextOf(remedy: string, retry: string): string {
  const accepting = remedy.replace(/retry with accept_(\w+) "([^"]*)"/, `${retry} --accept-$1 $2`)
  if (accepting !== remedy) return accepting
  return `${remedy.replace(/(, then retry)?\.?$/, '')}. Then: ${retry}`
}

/** @throws CliError where it did not succeed: what happened, why, and what to type next */
export function assertSucceeded(operation: OperationView): void {
  const { id, kind, status, cause } = operation
  if (status === 'succeeded') return
  const retry =
    operation.user_id === null
      ? `valkeep instance retry ${operation.instance_id}`
      : `valkeep user retry ${operation.user_id}`
  const reasons = [
    ...(cause ? [`${cause.code}: ${cause.message}`] : []),
    ...(operation.note ? [operation.note] : []),
    `operation: ${id}`,
  ]
  if (status === 'superseded')
    throw new CliError(exitCodes.conflict, `The ${kind} was overtaken by a newer change`, {
      reasons,
      next: 'valkeep operation list',
    })
  if (status === 'cancelled')
    throw new CliError(exitCodes.failed, `The ${kind} was cancelled`, { reasons, next: `valkeep operation get ${id}` })
  const next = cause?.remedy
    ? nextOf(cause.remedy, retry)
    : `Look at its steps with valkeep operation get ${id}; try again with ${retry}`
  throw new CliError(exitCodes.failed, `The ${kind} failed`, { reasons, next })
}

type Progress = (operation: OperationView) => void

/** Long-polls until the operation has ended. @throws CliError (timeout, interrupted): the operation itself goes on */
async function poll(
  session: Session,
  id: string,
  timeoutS: number,
  signal: AbortSignal,
  progress: Progress,
): Promise<OperationView> {
  const deadline = performance.now() + timeoutS * 1000
  const next = `It goes on: valkeep operation wait ${id}`
  const interrupted = new Promise<never>((_, reject) => {
    const stop = () => reject(new CliError(exitCodes.interrupted, `Interrupted while waiting for ${id}`, { next }))
    signal.addEventListener('abort', stop, { once: true })
  })
  // Handled even where nothing races with it any more.
  interrupted.catch(() => {})
  for (;;) {
    // One second: steps are seen that soon, and the answer to the last one comes at once.
    const waiting = session.client.get<OperationView>(path`/operations/${id}/wait`, { timeout_s: 1 })
    waiting.catch(() => {})
    const operation = await Promise.race([waiting, interrupted])
    progress(operation)
    if (hasEnded(operation)) return operation
    if (performance.now() >= deadline)
      throw new CliError(exitCodes.timeout, `${id} is not done after ${timeoutS} s`, { next })
  }
}

/** A progress that writes each step once, when it has ended. */
export function plainProgress(write: (line: string) => void): Progress {
  const shown = new Set<number>()
  return (operation) => {
    for (const step of operation.steps) {
      if (step.status === 'running' || shown.has(step.seq)) continue
      shown.add(step.seq)
      write(`  ${stepLine(step)}`)
    }
  }
}

async function live(
  session: Session,
  title: string,
  run: (progress: Progress) => Promise<OperationView>,
): Promise<OperationView> {
  const { Listr, ListrLogger, ProcessOutput } = await import('listr2')
  const { stderr } = session.context
  let result: OperationView | undefined
  const logger = new ListrLogger({ processOutput: new ProcessOutput(stderr, stderr) })
  const list = new Listr(
    [
      {
        title,
        rendererOptions: { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true },
        task: async (_, task) => {
          const plain = plainProgress((line) => {
            task.output = line.trim()
          })
          result = await run((operation) => {
            plain(operation)
            const running = operation.steps.filter((step) => step.status === 'running').map((step) => step.kind)
            task.title = running.length === 0 ? title : `${title}: ${running.join(', ')}`
          })
          task.title = title
          assertSucceeded(result)
        },
      },
    ],
    // Its own handler of Ctrl-C waits for the task and then exits by itself.
    { rendererOptions: { logger, showErrorMessage: false, collapseErrors: false }, registerSignalListeners: false },
  )
  await list.run()
  return result as unknown as OperationView
}

/** The list is redrawn in place: that needs a terminal that says how wide it is, and room for a line. */
const canShowLive = ({ stdout, stderr, colour }: Context) =>
  Boolean(stderr.isTTY && stdout.isTTY) && colour && stdout.columns >= 40

/**
 * Waits until the operation has succeeded.
 * @param title what is being done, for the person: `Creating instance myapp`
 * @throws CliError where it failed, took too long, or the person interrupted the waiting
 */
export async function follow(session: Session, id: string, title: string, timeoutS: number): Promise<OperationView> {
  const { context } = session
  const abort = new AbortController()
  const release = context.onSignal(() => abort.abort())
  const run = (progress: Progress) => poll(session, id, timeoutS, abort.signal, progress)
  try {
    if (canShowLive(context)) return await live(session, printable(title), run)
    session.note(`${title} (${id})`)
    const operation = await run(plainProgress(session.note))
    assertSucceeded(operation)
    return operation
  } finally {
    release()
  }
}

type Waiting = { wait: boolean; timeout: number }

/** An answer that shows a generated password, once and never again. */
const showsSecret = (answer: object) => 'password' in answer || 'users' in answer

/**
 * What every asynchronous change ends with: waits where asked to, then shows the resource as it is now, with what only
 * the first answer showed (a generated password). That is shown whatever happens while waiting.
 * @param reread null: there is nothing left to show
 */
export async function finish(
  session: Session,
  flags: Waiting,
  change: { answer: Answer<object | undefined>; title: string; reread: (() => Promise<object>) | null },
): Promise<void> {
  const { operationId } = change.answer
  const accepted = { ...change.answer.body }
  const show = (record: object) => {
    session.showDetails(record)
    if (showsSecret(accepted)) session.note('The password is shown this once and kept nowhere.')
  }
  if (operationId === null || !flags.wait) {
    show({ ...accepted, ...(operationId === null ? {} : { operation_id: operationId }) })
    return
  }
  try {
    await follow(session, operationId, change.title, flags.timeout)
  } catch (error) {
    if (showsSecret(accepted)) show(accepted)
    throw error
  }
  if (change.reread === null) session.show({ operation_id: operationId, status: 'succeeded' }, () => '')
  else show({ ...accepted, ...(await change.reread()) })
}
