/** What a command that talks to the platform works with. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { type ApiClient, isLoopback, makeApiClient, parseApiUrl } from './api-client.ts'
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

/** Connects: to `--api`, or to the platform of this machine. @throws CliError */
export function openSession(context: Context, flags: ConnectionFlags): Session {
  const json = flags.json ?? false
  return { context, client: connect(context, flags), json, ...makeOutput(context, json) }
}

function connect(context: Context, flags: ConnectionFlags): ApiClient {
  const { defaults } = context
  const home = flags.home ?? defaults.home
  const api = flags.api ?? defaults.api
  const caFile = flags.caFile ?? defaults.caFile
  const keyFile = flags.keyFile ?? defaults.keyFile
  if (caFile !== undefined) trust(caFile)
  if (api !== undefined) {
    const url = parseApiUrl(api)
    if (keyFile === undefined && !isLoopback(url))
      throw usageError(`--api ${api} needs the key of that platform`, 'Add --key-file FILE (or set VALKEEP_KEY_FILE)')
    return makeApiClient(url, readKeyFile(keyFile ?? join(home, 'admin.key')))
  }
  // Not by its address alone: once the platform is gone, anybody may listen there and would be handed the key.
  const platform = findLocalPlatform(home)
  if (platform === null)
    throw new CliError(exitCodes.unreachable, `No platform runs on ${home}`, {
      next: 'Start it with valkeep up, or name another one with --home DIR or --api URL --key-file FILE',
    })
  return makeApiClient(parseApiUrl(platform.url), readKeyFile(keyFile ?? join(home, 'admin.key')))
}

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

function makeOutput(context: Context, json: boolean): Pick<Session, 'show' | 'showTable' | 'showDetails' | 'note'> {
  const { stdout, stderr, colour } = context
  const bold = colour ? (text: string) => `\u001b[1m${text}\u001b[22m` : (text: string) => text
  const show = (value: unknown, text: () => string) => {
    stdout.write(json ? `${JSON.stringify(value, null, 2)}\n` : text())
  }
  const note = (text: string) => {
    stderr.write(`${printable(text)}\n`)
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
