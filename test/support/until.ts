import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until `condition` gives something other than undefined and false.
 * @param what shown where it does not within `timeoutMs`
 * @param pollMs between two looks; more than the default where a look costs the machine much
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string | (() => string),
  timeoutMs = 10_000,
  pollMs = 15,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const result = await condition()
    if (result !== undefined && result !== false) return result as Exclude<T, undefined | false>
    if (performance.now() > deadline)
      assert.fail(`waited ${timeoutMs} ms in vain: ${typeof what === 'string' ? what : what()}`)
    await delay(pollMs)
  }
}
