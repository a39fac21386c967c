/** A way to wait for whole rounds of the sweep without counting time. */
import { chmodSync, statSync } from 'node:fs'
import type { KillablePlatform } from '../support/killable-platform.ts'
import { until } from '../support/until.ts'

const marked = new WeakMap<KillablePlatform, string>()

/**
 * Makes an instance to drift. @returns a function that resolves once the sweep has found and mended a drift that began
 * with the call: every other instance was looked at within that round or the next
 */
export async function makeSweepMark(platform: KillablePlatform): Promise<() => Promise<void>> {
  const id = marked.get(platform) ?? (await platform.make('sweep-mark')).id
  marked.set(platform, id)
  const { conf } = platform.serverOf(id).layout
  return async () => {
    chmodSync(conf, 0o644)
    await until(() => (statSync(conf).mode & 0o077) === 0, 'a round of the sweep', 30_000)
  }
}
