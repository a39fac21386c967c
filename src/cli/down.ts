/** `valkeep down`: ends the platform, then every server. */
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './exit-code.ts'
import { findLocalPlatform, type PlatformFile } from './local-platform.ts'
import { processStartTime } from './process-identity.ts'
import { printable } from './text.ts'

/** Asks the platform to end and waits for it. Never by force: it may be writing. @throws CliError */
async function endPlatform({ pid, start_time }: PlatformFile, timeoutS: number): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return
    throw new CliError(exitCodes.denied, `The platform (process ${pid}) belongs to another user`, {
      next: 'Run this as the user that runs the platform.',
    })
  }
  const deadline = performance.now() + timeoutS * 1000
  while (processStartTime(pid) === start_time) {
    if (performance.now() > deadline)
      throw new CliError(exitCodes.timeout, `The platform (process ${pid}) did not end within ${timeoutS} s`, {
        next: 'Look at its log, then run valkeep down again.',
      })
    await delay(20)
  }
}

/** Safe to repeat: killed anywhere, the next run goes on. @throws CliError */
export async function down(context: Context, flags: { timeout: number; json?: boolean }): Promise<void> {
  const { home } = await context.local.settings(flags)
  if (!existsSync(home)) {
    const json = { home, platform_was_running: false, stopped: false }
    if (flags.json) context.stdout.write(`${JSON.stringify(json)}\n`)
    else context.stderr.write(`There is no data directory ${printable(home)}: nothing to stop\n`)
    return
  }
  const platform = findLocalPlatform(home)
  if (platform !== null) {
    context.stderr.write(`Stopping the platform (process ${platform.pid})\n`)
    await endPlatform(platform, flags.timeout)
  }
  context.stderr.write('Stopping every instance\n')
  await context.local.stopAllServers(flags)
  if (flags.json)
    context.stdout.write(`${JSON.stringify({ home, platform_was_running: platform !== null, stopped: true })}\n`)
  else context.stderr.write(`Everything is stopped. ${context.command} up brings back what was running.\n`)
}
