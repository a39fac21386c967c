/** What the tests of architecture `cluster` of the chart ask of a release. */
import assert from 'node:assert/strict'
import type { Release } from './chart-release.ts'
import { until } from './until.ts'

export type Node = {
  id: string
  pod: number
  role: 'primary' | 'replica'
  primary: string
  slots: number
  fine: boolean
}

/** On a Kubernetes, or without one. */
type Asked = Pick<Release, 'ask'>

/** The cluster as a pod sees it; a node without a pod's name has pod -1. */
export async function nodesOf(release: Asked, pod = 0): Promise<Node[]> {
  const text = await release.ask(pod, 'CLUSTER', 'NODES')
  return text
    .split('\n')
    .filter((line) => line.split(' ').length >= 8)
    .map((line) => {
      const [id = '', address = '', flags = '', primary = '', , , , link = '', ...slots] = line.split(' ')
      const ranges = slots.filter((range) => !range.startsWith('[')).map((range) => range.split('-').map(Number))
      return {
        id,
        pod: Number(/-(\d+)\./.exec(address)?.[1] ?? -1),
        role: flags.includes('master') ? 'primary' : 'replica',
        primary,
        slots: ranges.reduce((sum, [from = 0, to = from]) => sum + to - from + 1, 0),
        fine: link === 'connected' && !/,fail|noaddr|handshake/.test(flags),
      }
    })
}

/** Waits until every one of the first `pods` pods sees them all, `primaries` of them with all slots, each with the same number of replicas. */
export async function formed(release: Asked, pods: number, primaries: number, timeoutMs = 120_000): Promise<void> {
  let seen: unknown
  const whole = (nodes: Node[]) => {
    const owners = nodes.filter(({ slots }) => slots > 0)
    const replicasOf = (id: string) => nodes.filter(({ primary }) => primary === id).length
    return (
      nodes.length === pods &&
      nodes.every(({ fine }) => fine) &&
      owners.length === primaries &&
      owners.reduce((sum, { slots }) => sum + slots, 0) === 16_384 &&
      owners.every(({ id }) => replicasOf(id) === pods / primaries - 1)
    )
  }
  const all = async () => {
    for (let pod = 0; pod < pods; pod++) {
      const nodes = await nodesOf(release, pod).catch((error: Error) => error.message)
      seen = nodes
      if (typeof nodes === 'string' || !whole(nodes)) return false
    }
    return (await release.ask(0, 'CLUSTER', 'INFO')).includes('cluster_state:ok')
  }
  await until(all, () => `a cluster of ${pods}: ${JSON.stringify(seen)}`, timeoutMs, 100)
}

/** A pod whose server is a primary with slots. */
export async function aPrimary(release: Asked): Promise<number> {
  const found = (await nodesOf(release)).find(({ role, slots }) => role === 'primary' && slots > 0)
  assert.ok(found, 'a primary')
  return found.pod
}

export async function logOf(release: Release, selector: string): Promise<string> {
  return release.kubectl('logs', '-l', selector, '--tail=-1', '--all-containers')
}
