import pino from 'pino'
import { openLogFile } from './log-file.ts'
import type { Settings } from './setting-table.ts'

/** Fields that never reach the log, wherever they stand in what is logged: redacted by construction, not by care. */
const secretKeys = ['password', 'key', 'authorization', 'secret', 'token', 'keyPem', 'plain']
const redact = secretKeys.flatMap((name) => [name, `*.${name}`, `*.*.${name}`, `*.*.*.${name}`])

/** The platform's log: JSON lines, in a 0600 file or on stderr. */
export const makeLog = (settings: Pick<Settings, 'logLevel' | 'logFile'>): pino.Logger =>
  pino(
    {
      level: settings.logLevel,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: [...redact, 'req.headers', 'res.headers'], censor: '[redacted]' },
    },
    settings.logFile === 'stderr' ? errorStream() : openLogFile(settings.logFile),
  )

/** Standard error. Where it cannot be written (its reader is gone, it is a file on a full disk), the platform goes on. */
function errorStream(): pino.DestinationStream {
  const stream = pino.destination({ dest: 2, sync: true })
  stream.on('error', () => undefined)
  return stream
}
