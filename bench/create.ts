import { makeHome } from './support/home.ts'
import { type Created, createInstance, deleteInstance, type OperationView } from './support/instances.ts'
import { makeRawServers } from './support/raw.ts'
import { type Bench, figure, median } from './support/report.ts'
import { inTurns } from './support/turns.ts'

const goal = 1.5
const turns = 30
const warmUp = 5

/** One instance at a time, from POST until active, against writing the same files and spawning the same server. */
export const create: Bench = {
  name: 'create',
  about: 'POST until active, one after the other',
  async run(progress) {
    const home = await makeHome(29_000)
    const raw = await makeRawServers()
    try {
      const up = await home.up()
      const made: Created[] = []
      const ours = async (turn: number) => {
        const created = await createInstance(up, `bench-${turn}`)
        await deleteInstance(up, created.id)
        made.push(created)
        return created.totalMs
      }
      const byHand = async () => {
        const server = await raw.prepare()
        const ms = await server.start()
        await server.stop()
        return ms
      }
      progress(`${turns} turns`)
      const measured = await inTurns(turns, warmUp, ours, byHand)
      const ratio = median(measured.ours) / median(measured.raw)
      return [
        {
          what: 'create',
          goal: `p50 ≤ ${goal} × raw`,
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio,
          met: ratio <= goal,
          cause: whereItGoes(made.slice(warmUp)),
        },
      ]
    } finally {
      await home.remove()
      await raw.remove()
    }
  },
}

/** Medians of the parts of a create, by the times that its operation shows. */
export function whereItGoes(made: readonly Created[]): string {
  const part = (of: (created: Created) => number) => median(made.map(of)).toFixed(0)
  const took = (view: OperationView, kind: string) =>
    view.steps
      .filter((step) => step.kind === kind)
      .reduce((ms, step) => ms + between(step.started_at, step.finished_at), 0)
  const lastStepEnd = (view: OperationView) => view.steps.at(-1)?.finished_at ?? view.started_at
  const parts = {
    'POST answered': part((one) => one.postMs),
    'accepted to begun': part(({ operation }) => between(operation.created_at, operation.started_at)),
    'begun to first step': part(({ operation }) => between(operation.started_at, operation.steps[0]?.started_at ?? '')),
    'write-files': part(({ operation }) => took(operation, 'write-files')),
    start: part(({ operation }) => took(operation, 'start')),
    'observed and recorded': part(({ operation }) => between(lastStepEnd(operation), operation.finished_at)),
  }
  return `p50 in ms: ${Object.entries(parts)
    .map(([name, ms]) => `${name} ${ms}`)
    .join(', ')}`
}

const between = (from: string, to: string) => Date.parse(to) - Date.parse(from)
