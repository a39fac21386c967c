import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below those that Linux gives to whoever connects to something (32768 and up), one of which may be taken again at once; above those of the instances
 * of test platforms.
 */
const [FIRST, LAST] = [23_000, 32_767]

/** A loopback port that nothing listens on now. Somebody else may take it before its user does, by a rare chance. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1))
    const server = createServer().listen(port, '127.0.0.1')
    const listens = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!listens) continue
    server.close()
    await once(server, 'close')
    return port
  }
  throw new Error(`no free port from ${FIRST} to ${LAST}`)
}
