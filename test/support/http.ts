/** Calls to the API as a client makes them. */

export type HttpAnswer<T = Record<string, unknown>> = { status: number; headers: Headers; body: T; text: string }

export type CallOptions = {
  /** Left out: the caller's own; null: none. */
  key?: string | null
  body?: unknown
  /** Sent as it is, with `contentType`. */
  raw?: string
  contentType?: string
  headers?: Record<string, string>
  signal?: AbortSignal
}

export type Caller = <T = Record<string, unknown>>(
  method: string,
  path: string,
  options?: CallOptions,
) => Promise<HttpAnswer<T>>

/** A caller with a key of its own; JSON bodies are parsed, redirects are not followed. */
export function makeCaller(url: string, ownKey: string): Caller {
  return async <T>(method: string, path: string, given: CallOptions = {}): Promise<HttpAnswer<T>> => {
    const body = given.raw ?? (given.body === undefined ? undefined : JSON.stringify(given.body))
    const key = given.key === undefined ? ownKey : given.key
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': given.contentType ?? 'application/json' }),
        ...given.headers,
      },
      ...(body === undefined ? {} : { body }),
      ...(given.signal === undefined ? {} : { signal: given.signal }),
      redirect: 'manual',
    })
    const text = await response.text()
    const isJson = (response.headers.get('content-type')?.includes('json') ?? false) && text !== ''
    return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : {}) as T, text }
  }
}
