import { setTimeout as delay } from 'node:timers/promises'
import { type BenchHome, makeHome, type Up } from './support/home.ts'
import { createInstance } from './support/instances.ts'
import { cpuSeconds, rssKb } from './support/process.ts'
import { type Bench, figure, type Line, median } from './support/report.ts'

const count = 200
/** Enough for everything that a look needs to be loaded, compiled and warm. */
const few = 20
const goalKb = 50
const sweepMs = 30_000
/** Whole sweeps: every instance is looked at as often as any other. */
const settleMs = 2 * sweepMs
const samples = 30
const sampleMs = sweepMs / 10

/**
 * Platforms that were restarted with their instances running, against one without any, all at rest for the same time:
 * what creating instances left on the heap is no part of what keeping them costs.
 */
export const live: Bench = {
  name: 'live',
  about: `memory and processor of the platform at ${count} live instances against none, at rest`,
  async run(progress) {
    const homes = [await makeHome(29_000), await makeHome(28_000), await makeHome(27_000)] as const
    try {
      progress(`creating ${count} instances, and ${few}`)
      await fill(homes[0], count)
      await fill(homes[1], few)
      const ups = [await homes[0].up(), await homes[1].up(), await homes[2].up()] as const
      progress(`${(settleMs + samples * sampleMs) / 1_000} s of sweeps`)
      await delay(settleMs)
      return report(await sampled(ups))
    } finally {
      for (const home of homes) await home.remove()
    }
  },
}

async function fill(home: BenchHome, instances: number): Promise<void> {
  const up = await home.up()
  for (let at = 0; at < instances; at++) await createInstance(up, `bench-${at}`)
  await up.stop()
}

type Sampled = { rss: number[]; cpuPercent: number }

function report([many, some, none]: [Sampled, Sampled, Sampled]): Line[] {
  const memory = (what: string, base: Sampled, further: number, cause: string): Line => {
    const each = many.rss.map((kb, at) => (kb - (base.rss[at] ?? 0)) / further)
    const met = median(each) <= goalKb
    const ratio = median(many.rss) / median(base.rss)
    return {
      what,
      goal: `p50 ≤ ${goalKb} KB`,
      unit: 'KB',
      ours: figure(each),
      raw: figure(base.rss),
      ratio,
      met,
      cause,
    }
  }
  return [
    memory(
      'RSS per instance',
      none,
      count,
      `${mb(many.rss)} with ${count}, ${mb(none.rss)} without: includes what the first looks load and compile`,
    ),
    memory(
      'RSS per further instance',
      some,
      count - few,
      `${mb(many.rss)} with ${count}, ${mb(some.rss)} with ${few}: what one more costs a platform that is warm`,
    ),
    {
      what: 'CPU at rest',
      goal: 'told',
      unit: '%',
      ours: figure([many.cpuPercent]),
      raw: figure([none.cpuPercent]),
      ratio: many.cpuPercent / none.cpuPercent,
      met: true,
      cause: `of one processor, with a look at each instance every ${sweepMs / 1_000} s; raw is without instances`,
    },
  ]
}

async function sampled(ups: readonly [Up, Up, Up]): Promise<[Sampled, Sampled, Sampled]> {
  const rss = ups.map((): number[] => [])
  const [cpuBefore, startedAt] = [ups.map((up) => cpuSeconds(up.pid)), performance.now()]
  for (let sample = 0; sample < samples; sample++) {
    await delay(sampleMs)
    for (const [at, up] of ups.entries()) rss[at]?.push(rssKb(up.pid))
  }
  const seconds = (performance.now() - startedAt) / 1_000
  const of = (at: 0 | 1 | 2): Sampled => ({
    rss: rss[at] ?? [],
    cpuPercent: ((cpuSeconds(ups[at].pid) - (cpuBefore[at] ?? 0)) / seconds) * 100,
  })
  return [of(0), of(1), of(2)]
}

const mb = (kb: readonly number[]) => `${(median(kb) / 1_024).toFixed(1)} MB`
