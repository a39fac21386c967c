import assert from 'node:assert/strict'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { createAuthority, makeIssuer } from '../vault/authority.ts'
import { makePinnedFetch } from './pinned-fetch.ts'

/** A server's certificate from an authority that nobody here trusts, for a name that nobody uses here. */
async function certificate() {
  const now = new Date()
  const authority = await createAuthority({ subject: [{ type: 'CN', value: 'private' }], notBefore: now, days: 1 })
  const subject = [{ type: 'CN', value: 'api' } as const]
  const request = { subject, dnsNames: ['valkeep.example'], ipAddresses: [], now, days: 1 }
  return { ...(await (await makeIssuer(authority)).issue(request)), authority }
}

async function serve({ keyPem, certPem }: { keyPem: string; certPem: string }): Promise<string> {
  const server = createServer({ key: keyPem, cert: certPem }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    if (request.url === '/silent') return
    request.once('end', () => {
      response.writeHead(request.url === '/none' ? 204 : 201, { 'content-type': 'application/json' })
      response.end(request.url === '/none' ? undefined : `${request.method} ${Buffer.concat(chunks)}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const init = (method: string, signal = new AbortController().signal) =>
  ({ method, headers: {}, redirect: 'error', signal }) as const

test('the very certificate is trusted, whatever authority and name it has', async () => {
  const own = await certificate()
  const url = await serve(own)
  const fetch = makePinnedFetch(own.certPem + own.authority.certPem)
  const answer = await fetch(`${url}/a`, { ...init('POST'), body: 'text é' })
  assert.deepEqual([answer.status, await answer.text()], [201, 'POST text é'])
  assert.equal(answer.headers.get('content-type'), 'application/json')
  assert.equal((await fetch(`${url}/none`, init('DELETE'))).status, 204)
})

test('no other certificate is trusted, though the same authority made it', async () => {
  const own = await certificate()
  const other = await (await makeIssuer(own.authority)).issue({
    subject: [{ type: 'CN', value: 'other' }],
    dnsNames: ['valkeep.example'],
    ipAddresses: ['127.0.0.1'],
    now: new Date(),
    days: 1,
  })
  const url = await serve(other)
  await assert.rejects(makePinnedFetch(own.certPem)(`${url}/a`, init('GET')), (error: Error) => {
    assert.match(String((error.cause as { code?: string }).code), /VERIFY|ISSUER|CERT/)
    return true
  })
})

test('an abort ends it with the reason of the signal', async () => {
  const own = await certificate()
  const url = await serve(own)
  const abort = new AbortController()
  const asked = makePinnedFetch(own.certPem)(`${url}/silent`, init('GET', abort.signal))
  const reason = new Error('enough')
  abort.abort(reason)
  await assert.rejects(asked, reason)
})
