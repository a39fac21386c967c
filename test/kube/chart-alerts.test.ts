/** The chart's alerts of each architecture: promtool takes them, each fires at what it is for, and none of the others does. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { render, requireHelm } from '../support/chart.ts'
import { requirePart } from '../support/parts.ts'
import { type Alert, alertsOf, assertFiring, checkRules, type Rules, type Series } from '../support/promtool.ts'

type Architecture = 'cluster' | 'replication' | 'standalone'
const podsOf = { cluster: 6, replication: 3, standalone: 1 }
const primariesOf = { cluster: 3, replication: 1, standalone: 1 }

const labels = (pod: number) => ({ namespace: 'strict', pod: `x-valkey-cluster-${pod}` })
const named = (figure: string, pod: number, more = '') =>
  `${figure}{namespace="strict",pod="x-valkey-cluster-${pod}"${more}}`
const role = (pod: number, name: string) => named('redis_instance_info', pod, `,role="${name}"`)

/** What Prometheus sees of a release that is well, and of another one beside it that is not. */
function healthy(architecture: Architecture): Record<string, string> {
  const series: Record<string, string> = {
    'redis_up{namespace="strict",pod="y-valkey-cluster-0"}': '0x40',
    'redis_up{namespace="other",pod="x-valkey-cluster-0"}': '0x40',
  }
  for (let pod = 0; pod < podsOf[architecture]; pod++) {
    const isPrimary = pod < primariesOf[architecture]
    for (const figure of ['up', 'rdb_last_bgsave_status', 'aof_last_write_status', 'aof_last_bgrewrite_status'])
      series[named(`redis_${figure}`, pod)] = '1x40'
    series[named('redis_memory_used_bytes', pod)] = '80x40'
    series[named('redis_memory_max_bytes', pod)] = '100x40'
    series[named('redis_rejected_connections_total', pod)] = '7x40'
    series[role(pod, isPrimary ? 'master' : 'slave')] = '1x40'
    if (!isPrimary) series[named('redis_master_link_up', pod)] = '1x40'
    if (architecture === 'cluster') series[named('redis_cluster_state', pod)] = '1x40'
  }
  return series
}

type Case = { on: Architecture[]; alert: string; change: Series; fires: Alert }
const all: Architecture[] = ['cluster', 'replication', 'standalone']
const ofPod = (pod: number, severity: string, summary: string): Alert => ({
  labels: { ...labels(pod), severity },
  summary: summary.replace('POD', `Valkey x-valkey-cluster-${pod}`),
})
const ofRelease = (summary: string): Alert => ({ labels: { namespace: 'strict', severity: 'critical' }, summary })
const away = 'stale _x40'

const cases: Case[] = [
  {
    on: all,
    alert: 'ValkeyDown',
    change: { [named('redis_up', 0)]: '1 0x40' },
    fires: ofPod(0, 'critical', 'POD does not answer'),
  },
  ...all.map((architecture) => ({
    on: [architecture],
    alert: 'ValkeyPodMissing',
    change: { [named('redis_up', 0)]: `1 ${away}` },
    fires: ofRelease(
      `Of the ${podsOf[architecture]} pods of Valkey x-valkey-cluster ${podsOf[architecture] - 1} can be asked`,
    ),
  })),
  {
    on: all,
    alert: 'ValkeyMemoryNearlyFull',
    change: { [named('redis_memory_used_bytes', 0)]: '95x40' },
    fires: ofPod(0, 'warning', 'POD uses 95% of maxmemory'),
  },
  {
    on: all,
    alert: 'ValkeyRefusesConnections',
    change: { [named('redis_rejected_connections_total', 0)]: '0+1x40' },
    fires: ofPod(0, 'warning', 'POD has reached maxclients'),
  },
  {
    on: all,
    alert: 'ValkeySaveFailed',
    change: { [named('redis_rdb_last_bgsave_status', 0)]: '0x40' },
    fires: ofPod(0, 'critical', 'The last save of POD failed: it may refuse writes'),
  },
  ...['write', 'bgrewrite'].map((what) => ({
    on: all,
    alert: 'ValkeyAppendOnlyFileFailed',
    change: { [named(`redis_aof_last_${what}_status`, 0)]: '0x40' },
    fires: ofPod(0, 'critical', 'POD cannot write its append-only file'),
  })),
  ...(['cluster', 'replication'] as const).map((architecture) => ({
    on: [architecture],
    alert: 'ValkeyReplicaCutOff',
    change: { [named('redis_master_link_up', primariesOf[architecture])]: '0x40' },
    fires: ofPod(primariesOf[architecture], 'warning', 'POD is a replica without its primary'),
  })),
  {
    on: ['cluster'],
    alert: 'ValkeyClusterNotOk',
    change: { [named('redis_cluster_state', 4)]: '0x40' },
    fires: ofPod(4, 'critical', 'POD sees a cluster that does not serve every slot'),
  },
  {
    on: ['replication'],
    alert: 'ValkeyNotOnePrimary',
    change: { [role(0, 'master')]: `1 ${away}`, [role(0, 'slave')]: '_ 1x40' },
    fires: ofRelease('Valkey x-valkey-cluster has 0 primaries'),
  },
  {
    on: ['replication'],
    alert: 'ValkeyNotOnePrimary',
    change: { [role(1, 'slave')]: `1 ${away}`, [role(1, 'master')]: '_ 1x40' },
    fires: ofRelease('Valkey x-valkey-cluster has 2 primaries'),
  },
]

async function rulesOf(architecture: Architecture): Promise<Rules> {
  const metrics = { enabled: true, prometheusRule: { enabled: true } }
  const manifests = await render({ architecture, auth: { password: 'a' }, metrics })
  return manifests.find(({ kind }) => kind === 'PrometheusRule')?.spec as Rules
}

for (const architecture of all)
  describe(architecture, () => {
    const own = cases.filter(({ on }) => on.includes(architecture))

    test('promtool has nothing against the rules, and each of them has a case here', async (t) => {
      const promtool = requirePart(t, 'promtool')
      if (promtool === undefined || !requireHelm(t)) return
      const rules = await rulesOf(architecture)
      await checkRules(promtool, rules)
      assert.deepEqual(new Set(alertsOf(rules)), new Set(own.map(({ alert }) => alert)))
      await assertFiring(promtool, rules, healthy(architecture), 15, {})
    })

    test('each alert fires, and no other', async (t) => {
      const promtool = requirePart(t, 'promtool')
      if (promtool === undefined || !requireHelm(t)) return
      const rules = await rulesOf(architecture)
      for (const { alert, change, fires } of own) {
        const series = { ...healthy(architecture), ...change }
        await assertFiring(promtool, rules, series, 15, { [alert]: [fires] })
      }
    })
  })

test('without an append-only file nothing is said of it', async (t) => {
  if (!requireHelm(t)) return
  const metrics = { enabled: true, prometheusRule: { enabled: true } }
  const values = { auth: { password: 'a' }, metrics, persistence: { appendOnly: false } }
  const rule = (await render(values)).find(({ kind }) => kind === 'PrometheusRule')
  assert.ok(!alertsOf(rule?.spec as Rules).includes('ValkeyAppendOnlyFileFailed'))
})
