/** What the tests of architecture `replication` of the chart ask of a release with any number of replicas. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Release } from './chart-release.ts'
import type { Kube } from './kube.ts'
import { until } from './until.ts'

const run = promisify(execFile)
const patienceMs = 120_000

/** The image of the helper that labels pods with their role. */
export async function importCurl(kube: Kube): Promise<void> {
  const script = fileURLToPath(new URL('./curl-image.sh', import.meta.url))
  await kube.importImage((file) => run('sh', [script, 'docker.io/curlimages/curl:8.16.0', file]))
}

/** The pods that a Service leads to, by the end of its name. */
export async function behind(release: Release, service: string): Promise<string[]> {
  type Slice = { endpoints?: { conditions: { ready?: boolean }; targetRef: { name: string } }[] | null }
  const labels = { 'kubernetes.io/service-name': `${release.set}${service}` }
  const items = await release.list<Slice>('/apis/discovery.k8s.io/v1', 'endpointslices', labels)
  const ready = items.flatMap(({ endpoints }) => endpoints ?? []).filter(({ conditions }) => conditions.ready === true)
  return ready.map(({ targetRef }) => targetRef.name).toSorted()
}

/**
 * Waits until one of `pods` servers is the primary, all others follow it, and the Services lead there.
 * @returns its ordinal
 */
export async function onePrimary(release: Release, pods: number): Promise<number> {
  let seen: unknown
  const found = async () => {
    const [primaries, readers] = [await behind(release, '-primary'), await behind(release, '-replica')]
    const ordinal = Number(primaries[0]?.replace(/.*-/, ''))
    const info = await release.ask(ordinal, 'INFO', 'replication').catch((error: Error) => error.message)
    seen = { primaries, readers, info }
    const leads = info.includes('role:master') && info.match(/state=online/g)?.length === pods - 1
    return leads && primaries.length === 1 && readers.length === pods - 1 && { ordinal }
  }
  return (await until(found, () => `one primary of ${pods}: ${JSON.stringify(seen)}`, patienceMs, 200)).ordinal
}

/** How many keys the servers of pods have, in all. */
export async function keysOf(release: Release, ...pods: number[]): Promise<number> {
  const counts = await Promise.all(pods.map((pod) => release.ask(pod, 'DBSIZE')))
  return counts.reduce((sum, count) => sum + Number(count), 0)
}

/** One command to the sentinel of a pod. */
const askSentinel = (release: Release, pod: number, ...words: string[]): Promise<string> =>
  release.kubectl(
    'exec',
    `${release.set}-${pod}`,
    '-c',
    'sentinel',
    '--',
    'sh',
    '-c',
    '. /opt/valkey/scripts/lib.sh; . /opt/valkey/scripts/sentinel-lib.sh; sentinel "$ordinal" "$@"',
    'sh',
    ...words,
  )

/** Waits until every sentinel agrees on the primary, has a quorum, and knows of `pods` - 1 replicas and sentinels beside it. */
export async function sentinelsAgree(release: Release, pods: number, primary: number): Promise<void> {
  let seen: unknown
  const agrees = async (pod: number) => {
    const says = (await askSentinel(release, pod, 'SENTINEL', 'MASTER', 'valkey').catch(() => '')).split('\n')
    const field = (name: string) => says[says.indexOf(name) + 1] ?? ''
    const quorum = await askSentinel(release, pod, 'SENTINEL', 'CKQUORUM', 'valkey').catch(() => '')
    const facts = [field('ip'), field('flags'), field('num-slaves'), field('num-other-sentinels'), quorum]
    seen = facts
    const others = String(pods - 1)
    return (
      facts[0]?.startsWith(`${release.set}-${primary}.`) === true &&
      facts.slice(1, 4).join() === `master,${others},${others}` &&
      quorum.startsWith('OK')
    )
  }
  for (let pod = 0; pod < pods; pod++)
    await until(
      () => agrees(pod),
      () => `the sentinel of pod ${pod} to agree: ${JSON.stringify(seen)}`,
      patienceMs,
      500,
    )
}
