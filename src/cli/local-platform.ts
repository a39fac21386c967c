/** Finds the platform of this machine by what it leaves in its data directory. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CliError, exitCodes } from './exit-code.ts'
import { processStartTime } from './process-identity.ts'

/** `platform.json`, written by the platform (0600) when it listens; with the API's certificate where it has one. */
export type PlatformFile = { pid: number; start_time: string; url: string; cert_pem: string | null }

/** The file's content, whether its process still runs or not; null where there is none that can be understood. */
export function readPlatformFile(home: string): PlatformFile | null {
  try {
    const { pid, start_time, url, cert_pem } = JSON.parse(readFileSync(join(home, 'platform.json'), 'utf8')) as Record<
      string,
      unknown
    >
    if (typeof pid !== 'number' || typeof url !== 'string' || !['string', 'number'].includes(typeof start_time))
      return null
    return { pid, start_time: String(start_time), url, cert_pem: typeof cert_pem === 'string' ? cert_pem : null }
  } catch {
    return null
  }
}

/** The platform that runs on this data directory now, by process id and start time. */
export function findLocalPlatform(home: string): PlatformFile | null {
  const file = readPlatformFile(home)
  return file !== null && processStartTime(file.pid) === file.start_time ? file : null
}

/** A key's file. @throws CliError where it cannot be read or holds no key; its content is in no message */
export function readKeyFile(file: string): string {
  let text: string
  try {
    text = readFileSync(file, 'utf8').trim()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable'
    throw new CliError(exitCodes.denied, `Cannot read the API key file ${file}: ${reason}`, {
      next: 'Name another one: --key-file FILE, or VALKEEP_KEY_FILE=FILE',
    })
  }
  if (!/^[\x21-\x7e]{1,512}$/.test(text)) throw new CliError(exitCodes.denied, `${file} does not hold an API key`)
  return text
}
