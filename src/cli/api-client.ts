/** The platform's HTTP API over fetch. Retries safe reads only; every POST carries an idempotency key. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { CliError, exitCodes, type ProblemBody, problemError, usageError } from './exit-code.ts'

export type Query = Record<string, string | number | undefined>

/** An answer's body, and the operation that a 202 began. */
export type Answer<T> = { body: T; operationId: string | null }

export type ApiClient = {
  url: string
  get: <T>(path: string, query?: Query) => Promise<T>
  /** Rows of a list, up to `limit` over as many pages as that takes. */
  list: <T>(path: string, query: Query, limit: number) => Promise<{ items: T[]; more: boolean }>
  send: <T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    /** Where this request needs others than the client's own. */
    options?: { timeoutMs?: number; signal?: AbortSignal },
  ) => Promise<Answer<T>>
}

/** As much of fetch as is used here: global fetch is one. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; redirect: 'error'; signal: AbortSignal },
) => Promise<Response>

export type ClientOptions = {
  /** How long one request may take, in ms; 30 s. */
  timeoutMs?: number
  /** Ends whatever request is under way. */
  signal?: AbortSignal
  fetch?: Fetch
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** The API's base URL, checked. @throws CliError (usage): a key never goes over a network in the clear */
export function parseApiUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw usageError(`--api ${text}: not an http(s) URL`, 'For example: --api https://valkeep.example:7070')
  if (url.username || url.password || url.search || url.hash)
    throw usageError('--api: give scheme, host, port and path only')
  if (url.protocol === 'http:' && !loopback.test(url.hostname)) {
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

type Page<T> = { items: T[]; next_cursor: string | null }

const readTries = 3
const retryableStatus = new Set([429, 502, 503, 504])
const pageSize = 200

/** Why fetch failed, in one line: undici hides the reason in `cause`. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string } }).cause
  return cause?.code ?? cause?.message ?? (error as Error).message
}

function unreachable(url: URL, error: unknown): CliError {
  if (error instanceof CliError) return error
  if ((error as Error).name === 'TimeoutError')
    return new CliError(exitCodes.timeout, `${url.origin} did not answer in time`, { next: 'valkeep status' })
  const reason = reasonOf(error)
  const next = /CERT|SIGN|ISSUER|ALTNAME|VERIFY/i.test(reason)
    ? 'Where the platform has a certificate of a private CA: --ca-file FILE'
    : 'On its machine: valkeep status, valkeep doctor'
  return new CliError(exitCodes.unreachable, `Cannot reach the platform at ${url.origin}: ${reason}`, { next })
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Request = { method: Method; url: string; body?: unknown; timeoutMs: number; signal?: AbortSignal | undefined }
type Way = { base: URL; key: string; fetch: Fetch }

/** One request, with everything that says who asks. @throws CliError where there is no answer */
function request({ base, key, fetch }: Way, { method, url, body, timeoutMs, signal }: Request): Promise<Response> {
  const headers: Record<string, string> = {
    authorization: `Bearer ${key}`,
    accept: 'application/json, application/problem+json',
  }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (method === 'POST') headers['idempotency-key'] = randomUUID()
  const timeout = AbortSignal.timeout(timeoutMs)
  const content = body === undefined ? {} : { body: JSON.stringify(body) }
  const ends = signal === undefined ? timeout : AbortSignal.any([timeout, signal])
  return fetch(url, { method, headers, redirect: 'error', signal: ends, ...content }).catch((error) =>
    Promise.reject(unreachable(base, error)),
  )
}

const retryAfterS = (response: Response) => Number(response.headers.get('retry-after') ?? 0)

/** Asks again where that may help: safe for reads alone. */
async function retrying(ask: () => Promise<Response>, signal: AbortSignal | undefined): Promise<Response> {
  for (let tried = 1; ; tried++) {
    const last = tried === readTries
    const answer = await ask().catch((error: CliError) => {
      if (last || error.exitCode !== exitCodes.unreachable) throw error
      return null
    })
    const waitS = answer === null ? 0 : retryAfterS(answer)
    if (answer !== null && (last || !retryableStatus.has(answer.status) || !(waitS <= 10))) return answer
    await answer?.body?.cancel()
    await delay(Math.max(waitS * 1000, 100 * 3 ** (tried - 1)), undefined, signal === undefined ? {} : { signal })
  }
}

/** The answer's JSON. @throws CliError where it is a problem, or nothing that a platform would say */
async function bodyOf<T>(base: URL, response: Response): Promise<T> {
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

/** Makes a client. @param key the API key; kept in memory, sent to `base` alone (redirects are refused) */
export function makeApiClient(base: URL, key: string, options: ClientOptions = {}): ApiClient {
  const root = base.href.replace(/\/+$/, '')
  const way: Way = { base, key, fetch: options.fetch ?? fetch }
  const { timeoutMs = 30_000, signal } = options

  async function get<T>(path: string, query: Query = {}): Promise<T> {
    const url = root + path + queryText(query)
    return bodyOf<T>(base, await retrying(() => request(way, { method: 'GET', url, timeoutMs, signal }), signal))
  }

  async function list<T>(path: string, query: Query, limit: number): Promise<{ items: T[]; more: boolean }> {
    const items: T[] = []
    let cursor: string | undefined
    do {
      const size = Math.min(pageSize, limit - items.length)
      const page: Page<T> = await get<Page<T>>(path, { ...query, limit: size, cursor })
      items.push(...page.items)
      cursor = page.next_cursor ?? undefined
    } while (cursor !== undefined && items.length < limit)
    return { items, more: cursor !== undefined }
  }

  async function send<T>(
    method: Method,
    path: string,
    body?: unknown,
    own: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<Answer<T>> {
    const response = await request(way, { method, url: root + path, body, timeoutMs, signal, ...own })
    const location = response.headers.get('location') ?? ''
    const operationId = /\/operations\/([^/?#]+)$/.exec(location)?.[1] ?? null
    return { body: await bodyOf<T>(base, response), operationId }
  }

  return { url: root, get, list, send }
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
