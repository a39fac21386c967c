import { setTimeout as delay } from 'node:timers/promises'
import { makeHome, type Up } from './support/home.ts'
import { createInstance } from './support/instances.ts'
import { cpuSeconds, rssKb } from './support/process.ts'
import { type Bench, figure, median } from './support/report.ts'

const count = 200
const goalKb = 50
const sweepMs = 30_000
/** Whole sweeps: every instance is looked at as often as any other. */
const settleMs = 2 * sweepMs
const samples = 30
const sampleMs = sweepMs / 10

/**
 * A platform that has been restarted with its instances running, against one without any, both at rest for the same
 * time: what creating them left on the heap is no part of what keeping them costs.
 */
export const live: Bench = {
  name: 'live',
  about: `memory and processor of the platform at ${count} live instances against none, at rest`,
  async run(progress) {
    const [busy, idle] = [await makeHome(29_000), await makeHome(28_000)]
    try {
      progress(`creating ${count} instances`)
      const making = await busy.up()
      for (let at = 0; at < count; at++) await createInstance(making, `bench-${at}`)
      await making.stop()
      const [ours, raw] = [await busy.up(), await idle.up()]
      progress(`${(settleMs + samples * sampleMs) / 1_000} s of sweeps`)
      await delay(settleMs)
      const [with200, without] = await sampled(ours, raw)
      const perInstance = with200.rss.map((kb, at) => (kb - (without.rss[at] ?? 0)) / count)
      const cpuPercent = (of: Sampled) => [of.cpuPercent]
      return [
        {
          what: 'RSS per instance',
          goal: `p50 ≤ ${goalKb} KB`,
          unit: 'KB',
          ours: figure(perInstance),
          raw: figure(without.rss),
          ratio: median(with200.rss) / median(without.rss),
          met: median(perInstance) <= goalKb,
          cause: `${mb(with200.rss)} with ${count}, ${mb(without.rss)} without (raw: the whole platform without)`,
        },
        {
          what: 'CPU at rest',
          goal: 'told',
          unit: '%',
          ours: figure(cpuPercent(with200)),
          raw: figure(cpuPercent(without)),
          ratio: with200.cpuPercent / without.cpuPercent,
          met: true,
          cause: `of one processor, a sweep over all instances each ${sweepMs / 1_000} s; raw is without instances`,
        },
      ]
    } finally {
      await busy.remove()
      await idle.remove()
    }
  },
}

type Sampled = { rss: number[]; cpuPercent: number }

async function sampled(...ups: [Up, Up]): Promise<[Sampled, Sampled]> {
  const rss = ups.map((): number[] => [])
  const [cpuBefore, startedAt] = [ups.map((up) => cpuSeconds(up.pid)), performance.now()]
  for (let sample = 0; sample < samples; sample++) {
    await delay(sampleMs)
    for (const [at, up] of ups.entries()) rss[at]?.push(rssKb(up.pid))
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const of = (at: 0 | 1): Sampled => ({
    rss: rss[at] ?? [],
    cpuPercent: ((cpuSeconds(ups[at].pid) - (cpuBefore[at] ?? 0)) / seconds) * 100,
  })
  return [of(0), of(1)]
}

const mb = (kb: readonly number[]) => `${(median(kb) / 1_024).toFixed(1)} MB`
