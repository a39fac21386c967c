/** Whether a Valkey is well: what the health check is told, and how it judges what the server says. */

export type HealthSettings = {
  host: string
  port: number
  user: string
  passwordFile: string
  cert: string
  key: string
  ca: string
  /** From this share of maxmemory on it warns. */
  memoryWarnPercent: number
  /** Deadline of the whole check, seconds. */
  timeoutSeconds: number
}

/** Environment variables of the check with their defaults; the shell script has the same. */
export const healthVariables = {
  VALKEY_HOST: 'valkey',
  VALKEY_PORT: '6379',
  VALKEY_USER: 'healthcheck',
  VALKEY_PASSWORD_FILE: '/run/secrets/valkey_password',
  VALKEY_TLS_CERT: '/etc/valkey/tls/client.crt',
  VALKEY_TLS_KEY: '/etc/valkey/tls/client.key',
  VALKEY_TLS_CA: '/etc/valkey/tls/ca.crt',
  MEMORY_WARN_PERCENT: '80',
  VALKEY_TIMEOUT: '5',
} as const
export type HealthVariable = keyof typeof healthVariables

/** One line, and whether it ends with 0 or 1: a full cache is not a dead one. */
export type HealthVerdict = { level: 'OK' | 'WARNING' | 'CRITICAL'; text: string }

export const critical = (text: string): HealthVerdict => ({ level: 'CRITICAL', text })

/** A whole number from 1 to `max`, in digits alone, without leading zeros: a shell would read those as octal. */
function wholeNumber(text: string, max: number): number | undefined {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return undefined
  const value = Number(text)
  return value <= max ? value : undefined
}

/**
 * Reads the check's settings. A variable that is set and empty is as wrong as any other wrong value.
 * @param given the variables that are set
 */
export function healthSettings(
  given: Readonly<Partial<Record<HealthVariable, string>>>,
): { ok: HealthSettings } | { verdict: HealthVerdict } {
  const value = { ...healthVariables, ...given }
  const port = wholeNumber(value.VALKEY_PORT, 65_535)
  const percent = wholeNumber(value.MEMORY_WARN_PERCENT, 100)
  const timeout = wholeNumber(value.VALKEY_TIMEOUT, 3600)
  if (!/^[a-zA-Z0-9._-]+$/.test(value.VALKEY_HOST))
    return { verdict: critical('VALKEY_HOST must be a name or address of letters, digits, . _ and -') }
  if (port === undefined) return { verdict: critical('VALKEY_PORT must be a number from 1 to 65535') }
  if (percent === undefined) return { verdict: critical('MEMORY_WARN_PERCENT must be a number from 1 to 100') }
  if (timeout === undefined) return { verdict: critical('VALKEY_TIMEOUT must be a number of seconds from 1 to 3600') }
  if (!/^[a-z][a-z0-9_-]*$/.test(value.VALKEY_USER))
    return { verdict: critical('VALKEY_USER must be a name of a-z, 0-9, _ and -') }
  for (const name of ['VALKEY_PASSWORD_FILE', 'VALKEY_TLS_CERT', 'VALKEY_TLS_KEY', 'VALKEY_TLS_CA'] as const)
    if (value[name] === '') return { verdict: critical(`${name} must name a file`) }
  return {
    ok: {
      host: value.VALKEY_HOST,
      port,
      user: value.VALKEY_USER,
      passwordFile: value.VALKEY_PASSWORD_FILE,
      cert: value.VALKEY_TLS_CERT,
      key: value.VALKEY_TLS_KEY,
      ca: value.VALKEY_TLS_CA,
      memoryWarnPercent: percent,
      timeoutSeconds: timeout,
    },
  }
}

/** As far as a shell and a double both count exactly. */
const digits = /^(0|[1-9][0-9]{0,14})$/

/**
 * Judges what a server that answered PING says of itself.
 * @param info fields of INFO's sections memory and persistence
 */
export function judgeHealth(
  info: Readonly<Record<string, string | undefined>>,
  memoryWarnPercent: number,
): HealthVerdict {
  const { aof_enabled: aof, used_memory: used = '', maxmemory: max = '' } = info
  if (aof !== '1')
    return critical('the append-only file is off: a restart would lose what was written since the last snapshot')
  if (!digits.test(used) || !digits.test(max)) return critical('the server does not say how much memory it uses')
  if (max === '0') return { level: 'OK', text: 'answers, append-only file on, no memory limit' }
  const percent = Math.floor((Number(used) * 100) / Number(max))
  if (percent >= memoryWarnPercent)
    return { level: 'WARNING', text: `memory at ${percent}% of maxmemory (warning from ${memoryWarnPercent}%)` }
  return { level: 'OK', text: `answers, append-only file on, memory at ${percent}%` }
}

/** The line as it is printed. */
export const verdictLine = ({ level, text }: HealthVerdict): string => `${level}: ${text}`
