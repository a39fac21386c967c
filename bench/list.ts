import { makeHome, type Up } from './support/home.ts'
import { type Bench, figure, type Line, percentile } from './support/report.ts'
import { insertRows } from './support/rows.ts'
import { inTurns } from './support/turns.ts'

const [few, many] = [100, 100_000]
const goal = 1.5
const turns = 400
const warmUp = 100

type Query = { what: string; path: (up: Listed, turn: number) => string }
type Listed = { up: Up; ids: string[]; cursor: string }

const queries: Query[] = [
  { what: 'GET one', path: ({ ids }, turn) => `/valkey-instances/${ids[turn % ids.length]}` },
  { what: 'first page of 50', path: () => '/valkey-instances' },
  { what: 'next page of 50', path: ({ cursor }) => `/valkey-instances?cursor=${encodeURIComponent(cursor)}` },
  { what: 'page of a tenant', path: ({ up }) => `/tenants/${up.tenantId}/valkey-instances` },
]

/** Reads with many rows in the store against the same reads with few. */
export const list: Bench = {
  name: 'list',
  about: `reads at ${many} instances against ${few}`,
  async run(progress) {
    const homes = [await makeHome(29_000), await makeHome(28_000)] as const
    try {
      progress('inserting rows')
      const [large, small] = [await listed(homes[0], many), await listed(homes[1], few)]
      const lines: Line[] = []
      for (const { what, path } of queries) {
        progress(what)
        const timed = (of: Listed) => async (turn: number) => {
          const startedAt = performance.now()
          const { status, text } = await of.up.call('GET', path(of, turn))
          if (status !== 200) throw new Error(text)
          return performance.now() - startedAt
        }
        const measured = await inTurns(turns, warmUp, timed(large), timed(small))
        const [ours, raw] = [percentile(measured.ours, 0.99), percentile(measured.raw, 0.99)]
        lines.push({
          what,
          goal: `p99 flat (≤ ${goal} ×)`,
          unit: 'ms',
          ours: figure(measured.ours),
          raw: figure(measured.raw),
          ratio: ours / raw,
          met: ours / raw <= goal,
          cause: `raw is the same read at ${few} instances; the ratio is of p99`,
        })
      }
      return lines
    } finally {
      for (const home of homes) await home.remove()
    }
  },
}

async function listed(home: Awaited<ReturnType<typeof makeHome>>, count: number): Promise<Listed> {
  const empty = await home.up()
  await empty.stop()
  await insertRows(home.home, empty.tenantId, count)
  const up = await home.up()
  type Page = { items: { id: string }[]; next_cursor: string }
  const { body } = await up.call<Page>('GET', '/valkey-instances')
  return { up, ids: body.items.map(({ id }) => id), cursor: body.next_cursor }
}
