/** The API with a certificate of its own speaks TLS 1.2 or newer, and nothing else. */
import assert from 'node:assert/strict'
import { get } from 'node:https'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { startTestApi } from '../support/api.ts'

test('over TLS with the certificate given; plain HTTP and old versions are turned away', async (t) => {
  const now = new Date()
  const authority = await createAuthority({ subject: [{ type: 'CN', value: 'test' }], notBefore: now, days: 2 })
  const issuer = await makeIssuer(authority)
  const subject = [{ type: 'CN' as const, value: 'api' }]
  const issued = await issuer.issue({ subject, dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'], now, days: 1 })
  const api = await startTestApi({ https: { key: issued.keyPem, cert: issued.certPem } })
  t.after(() => api.close())
  assert.match(api.url, /^https:/)

  const status = await new Promise((resolve, reject) => {
    get(`${api.url}/healthz`, { ca: authority.certPem }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
  assert.equal(status, 200)
  await assert.rejects(fetch(api.url.replace('https:', 'http:')))
  const old = new Promise((resolve, reject) => {
    const socket = connect({
      port: Number(new URL(api.url).port),
      ca: authority.certPem,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL:@SECLEVEL=0',
    })
    socket.on('secureConnect', resolve)
    socket.on('error', reject)
  })
  await assert.rejects(old)
})
