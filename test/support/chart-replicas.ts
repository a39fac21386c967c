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

/** INFO of a pod's server as a map; empty where it does not answer. */
async function infoOf(release: Release, pod: number): Promise<Record<string, string>> {
  const text = await release.ask(pod, 'INFO', 'replication').catch(() => '')
  return Object.fromEntries(text.split(/\r?\n/).map((line) => line.split(':') as [string, string]))
}

/**
 * Waits until one of `pods` servers is the primary and all others follow it.
 * @returns its ordinal
 */
export async function onePrimary(release: Release, pods: number): Promise<number> {
  let seen: unknown
  const found = await until(
    async () => {
      const all = await Promise.all(Array.from({ length: pods }, (_, pod) => infoOf(release, pod)))
      seen = all.map((info) => [info['role'], info['master_host'], info['master_link_status']])
      const pod = all.findIndex((info) => info['role'] === 'master')
      const follows = ({ master_host = '', master_link_status }: Record<string, string>) =>
        master_host.startsWith(`${release.set}-${pod}.`) && master_link_status === 'up'
      return pod >= 0 && all.filter(follows).length === pods - 1 && { pod }
    },
    () => `one primary of ${pods}: ${JSON.stringify(seen)}`,
    patienceMs,
    200,
  )
  return found.pod
}

/** The pods that a Service leads to, by the end of its name. */
export async function behind(release: Release, service: string): Promise<string[]> {
  type Slice = { endpoints?: { conditions: { ready?: boolean }; targetRef: { name: string } }[] | null }
  const labels = { 'kubernetes.io/service-name': `${release.set}${service}` }
  const items = await release.list<Slice>('/apis/discovery.k8s.io/v1', 'endpointslices', labels)
  const ready = items.flatMap(({ endpoints }) => endpoints ?? []).filter(({ conditions }) => conditions.ready === true)
  return ready.map(({ targetRef }) => targetRef.name).toSorted()
}

/** Waits until the Service of the primary leads to one that so many replicas follow, and that of replicas to these. @returns its ordinal */
export async function following(pair: Release, replicas: number): Promise<number> {
  let seen: unknown
  const found = async () => {
    const [primaries, readers] = [await behind(pair, '-primary'), await behind(pair, '-replica')]
    const ordinal = Number(primaries[0]?.replace(/.*-/, ''))
    const info = await pair.ask(ordinal, 'INFO', 'replication').catch((error: Error) => error.message)
    seen = { primaries, readers, info }
    const leads = info.includes('role:master') && info.match(/state=online/g)?.length === replicas
    return leads && primaries.length === 1 && readers.length === replicas && { ordinal }
  }
  return (await until(found, () => JSON.stringify(seen), 120_000, 200)).ordinal
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
