/** Requests to a server whose certificate is known beforehand: no authority and no name has to vouch for it. */
import { type RequestOptions, request } from 'node:https'
import { connect } from 'node:tls'
import type { Fetch } from './api-client.ts'

/** Statuses for which Response takes no body. */
const withoutBody = new Set([204, 205, 304])

function responseOf(status: number, rawHeaders: readonly string[], body: Buffer): Response {
  const headers = new Headers()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '')
  return new Response(withoutBody.has(status) ? null : new Uint8Array(body), { status, headers })
}

/**
 * A fetch that trusts exactly one certificate, whatever name it bears. Follows no redirect.
 * @param certPem the server's certificate (PEM); of a chain the first one, which is the server's own
 */
export function makePinnedFetch(certPem: string): Fetch {
  const [own = ''] = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(certPem) ?? []
  const trust = { ca: [own], allowPartialTrustChain: true, checkServerIdentity: () => undefined }
  return (url, init) =>
    new Promise((resolve, reject) => {
      const options: RequestOptions = {
        method: init.method,
        headers: init.headers,
        signal: init.signal,
        // Without an agent: it would make the socket from its own options.
        createConnection: () => connect({ host: bare(url), port: Number(new URL(url).port || 443), ...trust }),
      }
      const asked = request(url, options, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.once('error', reject)
        answer.once('end', () =>
          resolve(responseOf(answer.statusCode ?? 500, answer.rawHeaders, Buffer.concat(chunks))),
        )
      })
      // As fetch does: the reason is in `cause`, and an abort rejects with the signal's own reason.
      asked.once('error', (error) =>
        reject(init.signal.aborted ? init.signal.reason : new Error(error.message, { cause: error })),
      )
      asked.end(init.body)
    })
}

/** The host as a socket takes it: an IPv6 address without its brackets. */
const bare = (url: string) => new URL(url).hostname.replace(/^\[|\]$/g, '')
