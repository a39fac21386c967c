import assert from 'node:assert/strict'
import { it } from 'node:test'
import { idOf, instance, node, server } from '../../test/integration/store-rows.ts'
import { openTemporary } from '../../test/integration/store-sqlite-temp.ts'
import type { NodeAgent } from '../domain/ports/node-agent.ts'
import { insertInstance } from '../store/instances.ts'
import { insertNode } from '../store/nodes.ts'
import { insertServer } from '../store/servers.ts'
import { makeSweep } from './sweep.ts'

it('looks at every instance though a stray cannot be removed', async (t) => {
  const { store } = await openTemporary(t)
  await store.write(async (tx) => {
    await insertNode(tx, node(1))
    await insertInstance(tx, instance(1))
    await insertServer(tx, server(1))
  })
  const strays = [2, 1, 3].map((n) => ({ id: idOf('srv', n), pid: null }))
  const checked = Promise.withResolvers<string>()
  const [tried, errors]: [string[], unknown[]] = [[], []]
  const sweep = makeSweep({
    store,
    driver: { check: checked.resolve },
    agent: () => ({ list: async () => strays }) as unknown as NodeAgent,
    nodeIds: [idOf('nod', 1)],
    intervalMs: 60_000,
    onStray: async (_nodeId, { id }) => {
      tried.push(id)
      throw new Error('it stays')
    },
    onError: (error) => errors.push(error),
  })
  t.after(() => sweep.stop())
  sweep.start()
  assert.equal(await checked.promise, idOf('ins', 1))
  assert.deepEqual(tried, [idOf('srv', 2), idOf('srv', 3)])
  assert.equal(errors.length, 2)
})
