/** A platform that runs as a process of its own (`valkeep up`), and calls to its API. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeCliHome } from './cli-process.ts'
import { type Caller, type HttpAnswer, makeCaller } from './http.ts'

export type PlatformProcess = {
  cli: ReturnType<typeof makeCliHome>
  url: string
  adminKey: string
  tenantId: string
  call: Caller
  /** Waits for the operation that an answer names, and asserts that it succeeded. */
  done<T>(answer: HttpAnswer<T>): Promise<HttpAnswer<T>>
  /** Ends platform and servers, fails where something is left, and removes all files. */
  remove(): Promise<void>
}

/** @param args further flags of `valkeep up` */
export async function startPlatformProcess(args: string[] = []): Promise<PlatformProcess> {
  const cli = makeCliHome()
  try {
    const url = await cli.up(args)
    const adminKey = readFileSync(join(cli.home, 'admin.key'), 'utf8').trim()
    const call = makeCaller(url, adminKey)
    const tenants = await call<{ items: { id: string }[] }>('GET', '/tenants')
    return {
      cli,
      url,
      adminKey,
      tenantId: String(tenants.body.items[0]?.id),
      call,
      async done(answer) {
        const location = answer.headers.get('location')
        assert.ok(location, answer.text)
        const { body } = await call('GET', `${location}/wait?timeout_s=60`)
        assert.equal(body['status'], 'succeeded', JSON.stringify(body))
        return answer
      },
      remove: cli.remove,
    }
  } catch (error) {
    await cli.remove()
    throw error
  }
}
