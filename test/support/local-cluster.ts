/** Keys in a cluster of the chart in pods without Kubernetes. */
import assert from 'node:assert/strict'
import { nodesOf } from './chart-cluster.ts'
import type { LocalRelease } from './local-release.ts'

/** Sets keys in every shard. @returns how many */
export async function fill(release: LocalRelease): Promise<number> {
  const count = 300
  const cli = 'valkey-cli -c --tls --cacert /etc/valkey/tls/ca.crt -h "$SET-0.$DOMAIN" -p 6380 --no-auth-warning'
  const script = `seq ${count} | sed 's/.*/SET key:& &/' | REDISCLI_AUTH=$(cat /etc/valkey/auth/default) ${cli} | grep -c OK`
  assert.equal(await release.exec(0, 'sh', '-c', script), String(count))
  return count
}

/** How many there are, by the primaries. */
export async function keysOf(release: LocalRelease): Promise<number> {
  const owners = (await nodesOf(release)).filter(({ slots }) => slots > 0)
  const sizes = await Promise.all(owners.map(({ pod }) => release.ask(pod, 'DBSIZE')))
  return sizes.map(Number).reduce((sum, size) => sum + size)
}

/** A key that a pod has. */
export async function aKey(release: LocalRelease, pod: number): Promise<string> {
  const [key = ''] = (await release.ask(pod, '--scan', '--count', '1000')).split('\n')
  // Of `fill` or of a writer: no word of an error.
  assert.match(key, /^(key:|writer-)/)
  return key
}
