import { overlayValues, type Values } from '../test/support/chart.ts'
import { installChart, type Release, testValues } from '../test/support/chart-release.ts'
import { aPrimary, formed, nodesOf } from '../test/support/chart-cluster.ts'
import { type Writer, writesOn } from '../test/support/chart-writes.ts'
import { type Kube, startKube } from '../test/support/kube.ts'
import { type Bench, figure, type Line, median } from './support/report.ts'

const rounds = 3

/** What the best known chart or operator reached on the same Kubernetes, in milliseconds; none of them kept every acknowledged write. */
const best = {
  'rolling upgrade': 90,
  'primary pod deleted': 540,
  'primary killed (-9)': 3_000,
  'node lost': 3_000,
  'node lost, nodeTimeoutMs 1500': 3_000,
  '6 pods Ready': 28_000,
} as const
type What = keyof typeof best

/** Servers have the processors before all else that a node does, as in production: 20m would be next to nothing while pods start. */
const valuesOf = (over: Values = {}): Values =>
  testValues(overlayValues({ resources: { requests: { cpu: '250m', memory: '32Mi' } } }, over))

type Seen = { ms: number[]; lost: number }

/** How long the chart's cluster takes no write to some key, and what it loses, where pods and nodes go. */
export const chart: Bench = {
  name: 'chart',
  about: "silence and losses of the chart's cluster of 6 with TLS on three Kubernetes nodes",
  async run(progress) {
    const kube = await startKube({ nodes: 3 })
    try {
      await kube.valkeyImage()
      progress('install')
      const began = performance.now()
      const release = await installChart(kube, { name: 'c', values: valuesOf() })
      await release.ready(6)
      const lines = [line('6 pods Ready', { ms: [performance.now() - began], lost: 0 }, 'from helm install')]
      await formed(release, 6, 3)
      const writer = await release.writer(await release.target('cluster'))
      for (const [what, act] of acts(release)) {
        progress(what)
        const seen = await measured(release, writer, act)
        progress(`${what}: ${seen.ms.join(', ')} ms, ${seen.lost} lost`)
        lines.push(line(what, seen, ''))
      }
      lines.push(await nodeLost(kube, release, writer, 'node lost', progress))
      await release.upgrade(valuesOf({ cluster: { nodeTimeoutMs: 1_500 } }))
      await release.ready(6)
      lines.push(await nodeLost(kube, release, writer, 'node lost, nodeTimeoutMs 1500', progress))
      await writer.stop()
      return lines
    } finally {
      await kube.stop()
    }
  },
}

type Act = (round: number) => Promise<unknown>

const acts = (release: Release): [What, Act][] => [
  ['rolling upgrade', (round) => release.upgrade(valuesOf({ valkey: { config: { hz: String(11 + round) } } }))],
  ['primary pod deleted', async () => release.kubectl('delete', 'pod', `${release.set}-${await aPrimary(release)}`)],
  ['primary killed (-9)', async () => release.signal(await aPrimary(release), 'KILL')],
]

async function measured(release: Release, writer: Writer, act: Act): Promise<Seen> {
  const seen: Seen = { ms: [], lost: 0 }
  for (let round = 0; round < rounds; round++) {
    await writesOn(writer)
    await act(round)
    await release.ready(6)
    const { maxSilenceMs, lost } = await writesOn(writer)
    seen.ms.push(maxSilenceMs)
    seen.lost = Math.max(seen.lost, lost)
  }
  return seen
}

/** Loses a node with one primary, then brings it back. */
async function nodeLost(
  kube: Kube,
  release: Release,
  writer: Writer,
  what: What,
  progress: (text: string) => void,
): Promise<Line> {
  progress(what)
  const node = await nodeOfOnePrimary(release)
  await writesOn(writer)
  await loseNode(kube, release, node)
  const { maxSilenceMs, lost } = await writesOn(writer)
  progress(`${what}: ${maxSilenceMs} ms, ${lost} lost`)
  await kube.startKubelet(node)
  await release.ready(6)
  return line(what, { ms: [maxSilenceMs], lost }, 'replication is asynchronous')
}

/** A Kubernetes node with one primary: where fail-overs have brought most of them together, nobody is left who could elect. */
async function nodeOfOnePrimary(release: Release): Promise<string> {
  const pods = await release.pods()
  const primaries = (await nodesOf(release)).filter(({ slots }) => slots > 0)
  const places = primaries.map(({ pod }) => pods[pod]?.spec.nodeName ?? '')
  const one = places.find((place) => places.filter((other) => other === place).length === 1)
  if (one === undefined) throw new Error(`no node has one primary: ${places.join(' ')}`)
  return one
}

/** Ends a node, and with it its pods' addresses: without processes they would still refuse connections, as no lost machine does. */
async function loseNode(kube: Kube, release: Release, node: string): Promise<void> {
  const routes = (await kube.inside('busybox', 'ip', 'route')).split('\n')
  const addresses = (await release.pods())
    .filter(({ spec }) => spec.nodeName === node)
    .map(({ status }) => status.podIP)
  await kube.killNode(node)
  for (const address of addresses) {
    const device = /dev (\S+)/.exec(routes.find((route) => route.startsWith(`${address} `)) ?? '')?.[1]
    if (device !== undefined) await kube.inside('busybox', 'ip', 'link', 'set', device, 'down')
  }
}

function line(what: What, { ms, lost }: Seen, remark: string): Line {
  const ours = figure(ms)
  const raw = figure([best[what]])
  return {
    what,
    goal: `< ${best[what]} ms`,
    unit: 'ms',
    ours,
    raw,
    ratio: median(ms) / best[what],
    met: median(ms) < best[what] && lost === 0,
    cause: [`${lost} acknowledged writes lost`, remark].filter(Boolean).join('; '),
  }
}
