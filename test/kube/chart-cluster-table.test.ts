/** files/cluster-table.sh of the chart: who is to follow whom, and which slots are nobody's. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { chartDir } from '../support/chart.ts'

type Row = { pod: number; node: string; follows?: number; slots?: number }

/** Runs one of its functions over a cluster of these pods; those with slots stay unless others are named. */
function ask(
  rows: Row[],
  words: string,
  { wanted = rows.length, raw = '', stay = rows.filter(({ slots }) => slots) } = {},
) {
  const work = mkdtempSync(join(tmpdir(), 'vkc-table-'))
  const file = (name: string, lines: string[]) =>
    writeFileSync(join(work, name), lines.map((line) => `${line}\n`).join(''))
  const role = ({ follows }: Row) => (follows === undefined ? 'primary -' : `replica id${follows}`)
  file(
    'stay',
    stay.map(({ pod }) => String(pod)),
  )
  file(
    'places',
    rows.map(({ pod, node }) => `${pod} ${node}`),
  )
  file(
    'nodes',
    rows.map((row) => `id${row.pod} ${row.pod} ${role(row)} ${row.slots ?? 0} fine`),
  )
  file('raw', [raw])
  file(
    'ids',
    rows.map(({ pod }) => `id${pod} ${pod}`),
  )
  const script = `set -u; work=${work} wanted=${wanted} existing=${rows.length} REPLICAS_PER_PRIMARY=1 primaries=3
    . ${join(chartDir, 'files', 'cluster-table.sh')}; places() { :; }; ${words}`
  try {
    return execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim().split('\n').filter(Boolean)
  } finally {
    rmSync(work, { recursive: true })
  }
}

const blank = (nodes: string): Row[] => [...nodes].map((node, pod) => ({ pod, node, slots: pod < 3 ? 5461 : 0 }))

test('a replica goes to another Kubernetes node than its primary, wherever that can be had', () => {
  for (const nodes of ['ABCABC', 'ABCCBA', 'ABCBAC', 'ABCACB', 'ABCCAB', 'ABCBCA', 'ABABAB', 'AABBBA']) {
    const pairs = ask(blank(nodes), 'pairs').map((line) => line.split(' ').map(Number))
    assert.equal(new Set(pairs.map(([, primary]) => primary)).size, 3, `${nodes}: each primary has one`)
    const together = pairs.filter(([replica = 0, primary = 0]) => nodes[replica] === nodes[primary])
    assert.deepEqual(together, [], nodes)
  }
  assert.equal(ask(blank('AAAAAA'), 'pairs').length, 3)
})

test('who follows well goes on; who follows one that goes, or one too many, does not', () => {
  const rows: Row[] = [
    { pod: 0, node: 'A', slots: 5461 },
    { pod: 1, node: 'A', slots: 5461 },
    { pod: 2, node: 'A', slots: 5461 },
    { pod: 3, node: 'B', follows: 0 },
    { pod: 4, node: 'B', follows: 0 },
    { pod: 5, node: 'B', follows: 6 },
    { pod: 6, node: 'C' },
    { pod: 7, node: 'C', follows: 2 },
  ]
  assert.deepEqual(ask(rows, 'pairs', { wanted: 6 }).toSorted(), ['4 1', '5 2'])
})

test('primaries are spread over the Kubernetes nodes', () => {
  assert.deepEqual(ask(blank('AABBCC'), 'spread'), ['0', '2', '4', '1', '3', '5'])
  assert.deepEqual(ask(blank('AAAAAA'), 'spread', { wanted: 3 }), ['0', '1', '2'])
})

test('slots that are nobody’s are told as ranges', () => {
  const raw =
    'id0 x myself,master - 0 0 0 connected 0-10 15 [20->-id1]\nid1 x master - 0 0 0 connected 12-13 5400-16383'
  assert.deepEqual(ask(blank('ABC'), 'nobodys 0 5460', { raw }), ['11 11', '14 14', '16 5399'])
  assert.deepEqual(ask(blank('ABC'), 'nobodys 5461 10921', { raw }), [])
})

test('marks of an interrupted move are cleared where that can be done, and only those that are stale', () => {
  const line = (id: number, role: string, slots: string) => `id${id} x myself,${role} 0 0 0 connected ${slots}`
  const raw = [
    // Under way: valkey-cli finishes it. The replica has its primary's mark.
    line(0, 'master -', '0-99 [5->-id1]'),
    line(3, 'slave id0', '[5->-id1]'),
    // Its primary was told and the client went away before it took it: only the replica has the mark.
    line(1, 'master -', '100-199'),
    line(4, 'slave id1', '[150->-id2]'),
    // Given away, and not told.
    line(2, 'master -', '200-299 [150->-id1] [201-<-id0]'),
  ].join('\n')
  assert.deepEqual(ask(blank('ABCABC'), 'stale', { raw }).toSorted(), ['1 150', '2 150'])
})
