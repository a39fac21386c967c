/** `valkeep stack health`: asks one Valkey whether it is well, as its container's health check does. */
import { readFileSync } from 'node:fs'
import type { Context } from '../cli/context.ts'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { makeOutput } from '../cli/session.ts'
import {
  critical,
  type HealthSettings,
  type HealthVerdict,
  healthSettings,
  judgeHealth,
  verdictLine,
} from '../domain/stack/health.ts'
import { connect } from '../valkey/client.ts'
import { ValkeyRefused, ValkeyTimeout, ValkeyUnreachable } from '../valkey/errors.ts'
import { parseFields } from '../valkey/info.ts'

/** Prints one line. @throws CliError (failed) where it is CRITICAL */
export async function stackHealth(context: Context, flags: { json?: boolean }): Promise<void> {
  const verdict = await examine(context.healthEnv)
  makeOutput(context, flags.json ?? false).show(verdict, () => `${verdictLine(verdict)}\n`)
  if (verdict.level === 'CRITICAL')
    throw new CliError(exitCodes.failed, 'The server is not well', {
      next: 'Where only its own network reaches it, ask inside: docker exec CONTAINER valkey-health',
    })
}

async function examine(given: Context['healthEnv']): Promise<HealthVerdict> {
  const read = healthSettings(given)
  if ('verdict' in read) return read.verdict
  const files = readFiles(read.ok)
  return 'verdict' in files ? files.verdict : ask(read.ok, files)
}

type Files = { password: string; cert: string; key: string; ca: string }

function readFiles(settings: HealthSettings): Files | { verdict: HealthVerdict } {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return undefined
    }
  }
  const { passwordFile, cert, key, ca } = settings
  const texts = { password: read(passwordFile), cert: read(cert), key: read(key), ca: read(ca) }
  const paths = { password: passwordFile, cert, key, ca }
  for (const name of ['password', 'cert', 'key', 'ca'] as const)
    if (texts[name] === undefined) return { verdict: critical(`${paths[name]} cannot be read`) }
  const password = (texts.password ?? '').replace(/\r?\n$/, '')
  if (password === '') return { verdict: critical(`${passwordFile} is empty`) }
  return { password, cert: texts.cert ?? '', key: texts.key ?? '', ca: texts.ca ?? '' }
}

/** PING and INFO on one connection, all of it within the deadline. */
async function ask(settings: HealthSettings, { password, cert, key, ca }: Files): Promise<HealthVerdict> {
  const endsAt = performance.now() + settings.timeoutSeconds * 1000
  const left = () => Math.max(1, Math.round(endsAt - performance.now()))
  const { host, port, user: username } = settings
  try {
    const socket = { host, port, ca, client: { cert, key } }
    await using connection = await connect({ socket, username, password, timeoutMs: left() })
    const pong = await connection.call(['PING'], { timeoutMs: left() })
    if (pong !== 'PONG') return critical('PING was not answered with PONG')
    const info = await connection.call(['INFO', 'memory', 'persistence'], { timeoutMs: left() })
    return judgeHealth(Object.fromEntries(parseFields(String(info))), settings.memoryWarnPercent)
  } catch (error) {
    return critical(reasonOf(error, settings))
  }
}

/** What went wrong, in the words of the shell script. Errors of the client hold no secret. */
function reasonOf(error: unknown, { host, port, user, cert, key, timeoutSeconds }: HealthSettings): string {
  const { message, code } = error as NodeJS.ErrnoException
  if (error instanceof ValkeyTimeout) return `no answer within ${timeoutSeconds} seconds`
  if (error instanceof ValkeyRefused) return `the server refuses the user ${user} with this password`
  if (error instanceof ValkeyUnreachable) return `cannot connect to ${host}:${port}: ${code ?? message}`
  if (code?.startsWith('ERR_OSSL') === true) return `${cert} and ${key} cannot be used: ${message.split(':').at(-1)}`
  return message.split('\n')[0] ?? 'no answer'
}
