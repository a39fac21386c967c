/** What a command that talks to the platform works with. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { type ApiClient, type Fetch, makeApiClient, parseApiUrl } from './api-client.ts'
import { asCalled } from './command-name.ts'
import type { Context } from './context.ts'
import { CliError, exitCodes, usageError } from './exit-code.ts'
import { findLocalPlatform, readKeyFile } from './local-platform.ts'
import { type Column, details, printable, table } from './text.ts'

/** Flags of every command that talks to the platform. */
export type ConnectionFlags = { api?: string; keyFile?: string; caFile?: string; home?: string; json?: boolean }

export type Session = {
  context: Context
  client: ApiClient
  json: boolean
  /** `--json`: the value on stdout; else the text. */
  show: (value: unknown, text: () => string) => void
  showTable: <T>(rows: readonly T[], columns: readonly Column<T>[], extra?: { more: boolean }) => void
  showDetails: (record: object) => void
  /** A line for the person, on stderr. */
  note: (text: string) => void
}

/** Connects: to `--api`, or to the platform of this machine. @param signal ends its requests @throws CliError */
export function openSession(context: Context, flags: ConnectionFlags, signal: AbortSignal): Session {
  const json = flags.json ?? false
  return { context, client: connect(context, flags, signal), json, ...makeOutput(context, json) }
}

function connect(context: Context, flags: ConnectionFlags, signal: AbortSignal): ApiClient {
  const { defaults } = context
  const home = flags.home ?? defaults.home
  const api = flags.api ?? defaults.api
  const caFile = flags.caFile ?? defaults.caFile
  const keyFile = flags.keyFile ?? defaults.keyFile
  if (caFile !== undefined) trust(caFile)
  // Not by its address alone: once the platform is gone, anybody may listen there and would be handed the key.
  const platform = findLocalPlatform(home)
  const url = api === undefined ? null : parseApiUrl(api)
  if (platform !== null && (url === null || url.href === parseApiUrl(platform.url).href)) {
    const key = readKeyFile(keyFile ?? join(home, 'admin.key'))
    const options = platform.cert_pem === null ? { signal } : { signal, fetch: localFetch(platform.cert_pem) }
    return makeApiClient(parseApiUrl(platform.url), key, options)
  }
  if (url === null)
    throw new CliError(exitCodes.unreachable, `No platform runs on ${home}`, {
      next: 'Start it with valkeep up, or name another one with --home DIR or --api URL --key-file FILE',
    })
  // Loopback too: the admin key of this data directory is for the platform that runs on it, and for nobody else.
  if (keyFile === undefined)
    throw usageError(`--api ${api} needs the key of that platform`, 'Add --key-file FILE (or set VALKEEP_KEY_FILE)')
  return makeApiClient(url, readKeyFile(keyFile), { signal })
}

/** The platform of this machine proves itself by the very certificate that it was configured with. */
const localFetch =
  (certPem: string): Fetch =>
  async (url, init) =>
    (await import('./pinned-fetch.ts')).makePinnedFetch(certPem)(url, init)

/** Trusts a private CA in addition to the public ones, for this process. */
function trust(caFile: string): void {
  let pem: string
  try {
    pem = readFileSync(caFile, 'utf8')
    setDefaultCACertificates([...getCACertificates('default'), pem])
  } catch (error) {
    throw usageError(`--ca-file ${caFile}: ${(error as Error).message}`)
  }
}

export type Output = Pick<Session, 'show' | 'showTable' | 'showDetails' | 'note'>

/** What a command says, for a person or as JSON. */
export function makeOutput(context: Context, json: boolean): Output {
  const { stdout, stderr, colour } = context
  const bold = colour ? (text: string) => `\u001b[1m${text}\u001b[22m` : (text: string) => text
  const show = (value: unknown, text: () => string) => {
    stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : text())
  }
  const note = (text: string) => {
    stderr.write(`${printable(asCalled(text, context.command))}\n`)
  }
  return {
    show,
    note,
    showTable(rows, columns, extra) {
      show({ items: rows, has_more: extra?.more ?? false }, () => table(rows, columns, bold))
      if (extra?.more) note(`Only the first ${rows.length} are shown: --limit N shows more.`)
    },
    showDetails(record) {
      show(record, () => details({ ...record }, bold))
    },
  }
}
