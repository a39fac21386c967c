/** The program where something is wrong: a stranger listens, a server is frozen, a person gives up waiting. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { finished, makeCliHome } from '../support/cli-process.ts'

const cli = makeCliHome()
const { home, childTmp, valkeep, json, items, fails } = cli

before(async () => {
  await cli.up()
  await json(['instance', 'create', 'main', '--memory-mb', '16'])
})
after(() => cli.remove())

/** Listens where a person might think the platform is, answers nothing, and remembers the keys it was given. */
async function stranger() {
  const keys: (string | undefined)[] = []
  const server = createServer((request) => keys.push(request.headers.authorization))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const end = () => {
    server.closeAllConnections()
    server.close()
  }
  return { keys, end, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Resolves once the condition holds. */
async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) assert.fail(`waited in vain: ${what}`)
    await delay(20)
  }
}

test('the admin key of this data directory goes to the platform that runs on it, and to nobody else on loopback', async () => {
  const { keys, end, url } = await stranger()
  try {
    await fails(2, /needs the key of that platform[\s\S]*--key-file/, ['instance', 'list', '--api', url])
    await fails(2, /needs the key/, ['status'], { env: { VALKEEP_API: url } })
    assert.deepEqual(keys, [])
    const own = `http://127.0.0.1:${cli.port()}`
    assert.equal((await items(['instance', 'list', '--api', own])).length, 1)
    assert.equal((await items(['instance', 'list', '--api', `${own}/`])).length, 1)
  } finally {
    end()
  }
})

test('whatever a command waits for, a signal ends it at once with 130', async () => {
  const { keys, end, url } = await stranger()
  try {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      keys.length = 0
      const child = cli.start(['instance', 'list', '--api', url, '--key-file', join(home, 'admin.key')])
      const result = finished(child)
      await until('it asks', () => keys.length > 0)
      const since = performance.now()
      child.kill(signal)
      const { status, stderr } = await result
      assert.equal(status, 130, stderr)
      assert.ok(performance.now() - since < 3000)
    }
  } finally {
    end()
  }
})

test('a server that hangs keeps nobody waiting: connect says why, and a signal ends it at once', async () => {
  const info = await valkeep(['instance', 'connect', 'main', '--', 'INFO', 'server'])
  const pid = Number(/^process_id:(\d+)/m.exec(info.stdout)?.[1])
  process.kill(pid, 'SIGSTOP')
  try {
    const waiting = cli.start(['instance', 'connect', 'main'])
    const result = finished(waiting)
    await until('it waits for its user', () => readdirSync(childTmp).length > 0)
    const since = performance.now()
    waiting.kill('SIGINT')
    assert.equal((await result).status, 130)
    assert.ok(performance.now() - since < 3000)
    assert.deepEqual(readdirSync(childTmp), [])
    const begun = performance.now()
    const said = /could not be served: .*\n[\s\S]*Next: .*valkeep instance get main/
    await fails(1, said, ['instance', 'connect', 'main', '--', 'PING'])
    assert.ok(performance.now() - begun < 15_000)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await until('it answers again', async () => (await json(['instance', 'get', 'main'])).health === 'healthy')
})

test('a session of a stopped instance names the command that starts it', async () => {
  await json(['instance', 'stop', 'main'])
  await fails(6, /Next: valkeep instance start main$/m, ['instance', 'connect', 'main'])
  await json(['instance', 'start', 'main'])
})
