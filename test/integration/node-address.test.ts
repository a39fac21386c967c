/** The node's address is a setting: what it is changed to is in every certificate before a client can meet it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeCliHome } from '../support/cli-process.ts'

test('another node address: instances move to it, with certificates that name it', async () => {
  const platform = makeCliHome()
  try {
    await platform.up()
    await platform.json(['instance', 'create', 'myapp'])
    assert.equal((await platform.valkeep(['down'])).status, 0)
    await platform.up(['--node-address', '127.0.0.2'])
    const [operation] = await platform.items(['operation', 'list', '--instance', 'myapp', '--limit', '1'])
    if (operation?.kind === 'repair') await platform.json(['operation', 'wait', String(operation.id)])
    const ping = await platform.valkeep(['instance', 'connect', 'myapp', '--', 'PING'])
    assert.deepEqual([ping.status, ping.stdout.trim()], [0, 'PONG'], ping.stderr)
    const { url } = await platform.json<{ url: string }>(['instance', 'url', 'myapp'])
    assert.match(url, /@127\.0\.0\.2:/)
  } finally {
    await platform.remove()
  }
})
