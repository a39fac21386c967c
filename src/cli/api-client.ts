/** The platform's HTTP API over fetch. Retries safe reads only; every POST carries an idempotency key. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { CliError, exitCodes, type ProblemBody, problemError, usageError } from './exit-code.ts'

type Query = Record<string, string | number | undefined>

/** An answer's body, and the operation that a 202 began. */
export type Answer<T> = { body: T; operationId: string | null }

export type ApiClient = {
  url: string
  get: <T>(path: string, query?: Query, timeoutMs?: number) => Promise<T>
  /** Rows of a list, up to `limit` over as many pages as that takes. */
  list: <T>(path: string, query: Query, limit: number) => Promise<{ items: T[]; more: boolean }>
  send: <T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) => Promise<Answer<T>>
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Where this machine itself is meant. */
export const isLoopback = (url: URL): boolean => loopback.test(url.hostname)

/** The API's base URL, checked. @throws CliError (usage): a key never goes over a network in the clear */
export function parseApiUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw usageError(`--api ${text}: not an http(s) URL`, 'For example: --api https://valkeep.example:7070')
  if (url.username || url.password || url.search || url.hash)
    throw usageError('--api: give scheme, host, port and path only')
  if (url.protocol === 'http:' && !isLoopback(url)) {
    const secure = `https://${url.host}`
    throw usageError(
      `--api ${text}: the API key would cross the network in the clear; plain http is for loopback only`,
      `Give the platform a certificate (tls_cert_file, tls_key_file) and use --api ${secure}`,
    )
  }
  return url
}

/** A path with every inserted part encoded: what a user typed never adds a segment. */
export const path = (strings: TemplateStringsArray, ...parts: string[]): string =>
  strings.reduce((text, part, i) => text + encodeURIComponent(parts[i - 1] ?? '') + part)

const readTries = 3
const retryableStatus = new Set([429, 502, 503, 504])
const pageSize = 200

/** Why fetch failed, in one line: undici hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  return cause?.code ?? cause?.message ?? (error as Error).message
}

function unreachable(url: URL, error: unknown): CliError {
  if ((error as Error).name === 'TimeoutError')
    return new CliError(exitCodes.timeout, `${url.origin} did not answer in time`, { next: 'valkeep status' })
  const reason = reasonOf(error)
  const next = /CERT|SIGNED|ISSUER|ALTNAME/i.test(reason)
    ? 'Where the platform has a certificate of a private CA: --ca-file FILE'
    : 'On its machine: valkeep status, valkeep doctor'
  return new CliError(exitCodes.unreachable, `Cannot reach the platform at ${url.origin}: ${reason}`, { next })
}

/** Makes a client. @param key the API key; kept in memory, sent to `base` alone (redirects are refused) */
export function makeApiClient(base: URL, key: string, requestTimeoutMs = 30_000): ApiClient {
  const root = base.href.replace(/\/+$/, '')

  async function once(method: string, url: string, body: unknown, timeoutMs: number): Promise<Response> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${key}`,
      accept: 'application/json, application/problem+json',
    }
    if (body !== undefined) headers['content-type'] = 'application/json'
    if (method === 'POST') headers['idempotency-key'] = randomUUID()
    const init: RequestInit = { method, headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) }
    if (body !== undefined) init.body = JSON.stringify(body)
    return fetch(url, init).catch((error) => Promise.reject(unreachable(base, error)))
  }

  async function read(url: string, timeoutMs: number): Promise<Response> {
    for (let tried = 1; ; tried++) {
      const response = await once('GET', url, undefined, timeoutMs).catch((error: CliError) => error)
      if (response instanceof Error && (tried === readTries || response.exitCode !== exitCodes.unreachable))
        throw response
      const waitS = response instanceof Error ? 0 : Number(response.headers.get('retry-after') ?? 0)
      if (!(response instanceof Error)) {
        if (tried === readTries || !retryableStatus.has(response.status) || !(waitS <= 10)) return response
        await response.body?.cancel()
      }
      await delay(Math.max(waitS * 1000, 100 * 3 ** (tried - 1)))
    }
  }

  async function bodyOf<T>(response: Response): Promise<T> {
    if (response.status === 204) return undefined as T
    const text = await response.text().catch((error) => Promise.reject(unreachable(base, error)))
    const json = parseJson(text)
    const speaksJson =
      /\bjson\b/.test(response.headers.get('content-type') ?? '') && typeof json === 'object' && json !== null
    if (!response.ok && speaksJson) throw problemError(response.status, json as ProblemBody)
    if (!speaksJson || !response.ok) {
      const message = `${base.origin} answered ${response.status} and not as a Valkeep platform does`
      throw new CliError(exitCodes.failed, message, { next: 'Check --api, and what listens there.' })
    }
    return json as T
  }

  const get = async <T>(path: string, query: Query = {}, timeoutMs = requestTimeoutMs) =>
    bodyOf<T>(await read(root + path + queryText(query), timeoutMs))

  return {
    url: root,
    get,
    async list<T>(path: string, query: Query, limit: number) {
      const items: T[] = []
      let cursor: string | undefined
      do {
        const size = Math.min(pageSize, limit - items.length)
        type Page = { items: T[]; next_cursor: string | null }
        const page: Page = await get<Page>(path, { ...query, limit: size, cursor })
        items.push(...page.items)
        cursor = page.next_cursor ?? undefined
      } while (cursor !== undefined && items.length < limit)
      return { items, more: cursor !== undefined }
    },
    async send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) {
      const response = await once(method, root + path, body, requestTimeoutMs)
      const location = response.headers.get('location') ?? ''
      const answer = await bodyOf<T>(response)
      return { body: answer, operationId: /\/operations\/([^/?#]+)$/.exec(location)?.[1] ?? null }
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function queryText(query: Query): string {
  const entries = Object.entries(query).flatMap(([k, v]) =>
    v === undefined ? [] : [[k, String(v)] as [string, string]],
  )
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
}
