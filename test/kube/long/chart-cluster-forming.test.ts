/** The job of the chart's cluster where it finds something already: it forms nothing over keys, and makes whole what is half formed. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { formed } from '../../support/chart-cluster.ts'
import { installChart, testValues } from '../../support/chart-release.ts'
import { type Kube, requireKube, startKube } from '../../support/kube.ts'
import { until } from '../../support/until.ts'

const patienceMs = 120_000

describe('the job of a cluster of the chart', () => {
  let kube: Kube | undefined
  after(() => kube?.stop())

  test('forms nothing over keys, makes whole what is half formed, and changes nothing after that', async (t) => {
    if (!requireKube(t)) return
    kube = await startKube()
    await kube.valkeyImage()
    const release = await installChart(kube, { name: 'c', values: testValues() })
    await release.kubectl('delete', 'jobs', '--all')
    await release.ready(6)
    // What jobs are told and servers are not.
    const script = 'REPLICAS_PER_PRIMARY=1 sh /opt/valkey/scripts/cluster.sh 6'
    const said = () => release.exec(0, 'sh', '-c', `${script} 2>&1`)

    assert.equal(await release.ask(0, 'CLUSTER', 'ADDSLOTSRANGE', '0', '16383'), 'OK')
    const set = async () => (await release.ask(0, 'SET', 'key', 'value')) === 'OK'
    await until(set, 'a cluster of one', patienceMs)
    await release.ask(0, 'CLUSTER', 'DELSLOTSRANGE', '0', '16383')
    const job = release.exec(0, 'sh', '-c', script)
    await assert.rejects(job, /pod 0 holds keys .*nothing is formed over data/)

    await release.ask(0, 'FLUSHALL')
    await release.ask(0, 'CLUSTER', 'ADDSLOTSRANGE', '0', '1000')
    await release.ask(1, 'CLUSTER', 'ADDSLOTSRANGE', '6000', '6000')
    assert.match(await said(), /forming a cluster of 3 primaries/)
    await formed(release, 6, 3)
    assert.doesNotMatch(await said(), /moving|follows|forming|meets/)
  })
})
