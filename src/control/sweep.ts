/** Looks at every instance whose node has an agent, again and again, spread evenly over the interval. */
import type { NodeAgent } from '../domain/ports/node-agent.ts'
import { serversOfNode } from '../store/servers.ts'
import type { Store } from '../store/store.ts'
import type { Driver } from './driver/driver.ts'

export type Sweep = { start(): void; stop(): void }

const tickMs = 1_000

/**
 * @param nodeIds nodes with an agent; rows on others cost nothing here
 * @param onStray a server on the node that no row knows, once per round
 */
export function makeSweep(deps: {
  store: Store
  driver: Pick<Driver, 'check'>
  agent: (nodeId: string) => NodeAgent
  nodeIds: string[]
  intervalMs: number
  onStray: (nodeId: string, stray: { id: string; pid: number | null }) => Promise<void>
  onError: (error: unknown) => void
}): Sweep {
  let timer: NodeJS.Timeout | null = null
  let round: string[] = []
  /** Looks per tick, and what of them the last ticks left over. */
  let share = 0
  let credit = 0
  let roundEndsMs = 0
  let busy = false

  /** The next round: strays first, since a stray may hold what an instance needs. */
  async function beginRound(first: boolean): Promise<void> {
    const ids: string[] = []
    for (const nodeId of deps.nodeIds) {
      const rows = await deps.store.read((db) => serversOfNode(db, nodeId))
      const known = new Set(rows.map((row) => row.id))
      // What cannot be removed, or listed, keeps nobody else from being looked at.
      await endStrays(nodeId, known).catch(deps.onError)
      ids.push(...rows.map((row) => row.instanceId))
    }
    round = [...new Set(ids)]
    share = first ? round.length : (round.length * tickMs) / deps.intervalMs
    roundEndsMs = performance.now() + deps.intervalMs
  }

  async function endStrays(nodeId: string, known: ReadonlySet<string>): Promise<void> {
    for (const found of await deps.agent(nodeId).list())
      if (!known.has(found.id)) await deps.onStray(nodeId, found).catch(deps.onError)
  }

  async function tick(first: boolean): Promise<void> {
    if (round.length === 0 && performance.now() < roundEndsMs) return
    if (round.length === 0) await beginRound(first)
    credit += share
    for (const id of round.splice(0, Math.floor(credit))) deps.driver.check(id, null)
    credit %= 1
  }

  const guarded = (first: boolean) => {
    if (busy) return
    busy = true
    tick(first)
      .catch(deps.onError)
      .finally(() => {
        busy = false
      })
  }

  return {
    /** The first round is made at once: what died while nobody looked is brought back. */
    start() {
      guarded(true)
      timer = setInterval(guarded, tickMs, false)
    },
    stop() {
      if (timer) clearInterval(timer)
    },
  }
}
