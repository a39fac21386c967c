import { whereItGoes } from './create.ts'
import { makeHome } from './support/home.ts'
import { type Created, createInstance, deleteInstance } from './support/instances.ts'
import { makeRawServers } from './support/raw.ts'
import { type Bench, figure, median } from './support/report.ts'
import { inTurns } from './support/turns.ts'

const goal = 1.5
const count = 100
const turns = 3
const warmUp = 1

/** A hundred at once until the last one is active, against a hundred spawns by hand until the last one answers. */
export const createParallel: Bench = {
  name: 'create-parallel',
  about: `${count} creates at once, until all are active`,
  async run(progress) {
    const home = await makeHome(29_000)
    const raw = await makeRawServers()
    try {
      const up = await home.up()
      const made: Created[] = []
      const ours = async (turn: number) => {
        progress(`turn ${turn + 1} of ${warmUp + turns}`)
        const startedAt = performance.now()
        const created = await Promise.all(
          Array.from({ length: count }, (_, at) => createInstance(up, `bench-${turn}-${at}`)),
        )
        const ms = performance.now() - startedAt
        for (const { id } of created) await deleteInstance(up, id)
        made.push(...created)
        return ms
      }
      const byHand = async () => {
        const servers = await Promise.all(Array.from({ length: count }, () => raw.prepare()))
        const startedAt = performance.now()
        await Promise.all(servers.map((server) => server.start()))
        const ms = performance.now() - startedAt
        await Promise.all(servers.map((server) => server.stop()))
        return ms
      }
      const measured = await inTurns(turns, warmUp, ours, byHand)
      const ratio = median(measured.ours) / median(measured.raw)
      return [
        {
          what: `create × ${count}`,
          goal: `≤ ${goal} × raw`,
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio,
          met: ratio <= goal,
          cause: whereItGoes(made.slice(warmUp * count)),
        },
      ]
    } finally {
      await home.remove()
      await raw.remove()
    }
  },
}
