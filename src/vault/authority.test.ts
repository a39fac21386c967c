import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as tls from 'node:tls'
import { promisify } from 'node:util'
import { requirePart } from '../../test/support/parts.ts'
import {
  type Authority,
  type CertificateRequest,
  createAuthority,
  type IssuedCertificate,
  type Issuer,
  makeIssuer,
} from './authority.ts'
import { bundle, certificateFacts, fingerprintOfPem } from './certificates.ts'
import { VaultError } from './vault-error.ts'

const dir = mkdtempSync(join(tmpdir(), 'valkeep-ca-'))
after(() => rmSync(dir, { recursive: true }))
const dayMs = 86_400_000
const now = new Date()
const caSubject = [
  { type: 'O' as const, value: 'Valkeep "#1" \\ o' },
  { type: 'CN' as const, value: 'Valkeep CA' },
]
const serverRequest: CertificateRequest = {
  subject: [{ type: 'CN', value: 'srv_1' }],
  dnsNames: ['localhost', 'srv-1.valkeep.internal', 'localhost'],
  ipAddresses: ['127.0.0.1', '2001:DB8::1', '::1'],
  now,
  days: 90,
}

let authority: Authority
let issuer: Issuer
let server: IssuedCertificate
before(async () => {
  authority = await createAuthority({ subject: caSubject, notBefore: new Date(now.getTime() - dayMs), days: 3650 })
  issuer = await makeIssuer(authority)
  server = await issuer.issue(serverRequest)
})

const file = (name: string, text: string): string => {
  const path = join(dir, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
/** The answer of `openssl verify -x509_strict`, whatever its exit code. */
const verify = (caPem: string, certPem: string, ...options: string[]): string => {
  const args = ['verify', '-x509_strict', '-CAfile', file('v-ca.pem', caPem), ...options, file('v.pem', certPem)]
  const run = spawnSync('openssl', args, { encoding: 'utf8' })
  return `${run.status} ${run.stdout}${run.stderr}`
}
const details = (pem: string): string =>
  execFileSync('openssl', ['x509', '-noout', '-text'], { input: pem, encoding: 'utf8' })
const refused = (promise: Promise<unknown>, message: RegExp) =>
  assert.rejects(
    promise,
    (error) => error instanceof VaultError && error.code === 'certificate' && message.test(error.message),
  )

/** Serves `certificate` on 127.0.0.1 while `use` runs with the port. */
async function serving(certificate: IssuedCertificate, use: (port: number) => Promise<void>): Promise<void> {
  const listener = tls.createServer({ cert: certificate.certPem, key: certificate.keyPem }, (socket) =>
    socket.end('hello'),
  )
  listener.on('tlsClientError', () => {})
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  try {
    await use((listener.address() as AddressInfo).port)
  } finally {
    listener.close()
  }
}

/** Connects as a strict client; the fingerprint served, or the error's code. */
async function connects(port: number, options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', ...options })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    socket.destroy()
  }
}

test('the authority is a CA for leaves and revocation lists only, its subject literal', () => {
  const text = details(authority.certPem)
  assert.match(text, /Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
  assert.match(text, /Key Usage: critical\s+Certificate Sign, CRL Sign\s/)
  assert.match(text, /Subject Key Identifier/)
  assert.match(text, /ASN1 OID: prime256v1/)
  const certificate = new X509Certificate(authority.certPem)
  assert.deepEqual({ ...certificate.toLegacyObject().subject }, { O: 'Valkeep "#1" \\ o', CN: 'Valkeep CA' })
  assert.equal(
    certificateFacts(authority.certPem).notAfter.getTime(),
    Math.floor((now.getTime() + 3649 * dayMs) / 1000) * 1000,
  )
  assert.match(verify(authority.certPem, authority.certPem), /^0 /)
})

test('a server certificate says what it is for, how long, and by which names', () => {
  const text = details(server.certPem)
  assert.match(text, /CA:FALSE/)
  assert.match(text, /Key Usage: critical\s+Digital Signature\s/)
  assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/)
  const facts = certificateFacts(server.certPem)
  assert.deepEqual(facts.dnsNames, ['localhost', 'srv-1.valkeep.internal'])
  assert.deepEqual(facts.ips, ['127.0.0.1', '2001:db8::1', '::1'])
  assert.equal(facts.fingerprint, server.fingerprint)
  assert.deepEqual(facts.notAfter, server.notAfter)
  assert.equal(facts.notBefore.getTime(), Math.floor((now.getTime() - 300_000) / 1000) * 1000)
  assert.equal(server.notAfter.getTime(), Math.floor((now.getTime() + 90 * dayMs) / 1000) * 1000)
  assert.match(server.keyPem, /^-----BEGIN PRIVATE KEY-----/)
  assert.equal(new X509Certificate(server.certPem).checkPrivateKey(createPrivateKey(server.keyPem)), true)
})

test('openssl verifies it strictly, by name and by address, for both ends, and under nobody else', async () => {
  for (const options of [
    ['-purpose', 'sslserver', '-verify_hostname', 'localhost'],
    ['-purpose', 'sslserver', '-verify_ip', '127.0.0.1'],
    ['-purpose', 'sslserver', '-verify_ip', '2001:db8::1'],
    ['-purpose', 'sslclient'],
  ]) {
    assert.match(verify(authority.certPem, server.certPem, ...options), /^0 /)
  }
  assert.match(
    verify(authority.certPem, server.certPem, '-verify_hostname', 'evil.example'),
    /^2 .*hostname mismatch/is,
  )
  assert.match(verify(authority.certPem, server.certPem, '-verify_ip', '127.0.0.2'), /^2 .*IP address mismatch/is)
  const stranger = await createAuthority({ subject: caSubject, notBefore: now, days: 10 })
  assert.match(verify(stranger.certPem, server.certPem), /^2 /)
  assert.match(verify(bundle([stranger.certPem, authority.certPem]), server.certPem), /^0 /)
})

test('Node connects by address and by name, and to nobody else', async () => {
  await serving(server, async (port) => {
    const ca = authority.certPem
    assert.equal(await connects(port, { ca }), server.fingerprint)
    assert.equal(await connects(port, { ca, servername: 'srv-1.valkeep.internal' }), server.fingerprint)
    assert.equal(await connects(port, { ca, servername: 'evil.example' }), 'ERR_TLS_CERT_ALTNAME_INVALID')
    assert.equal(await connects(port, {}), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })
})

test('Python connects by address and by name', async (t) => {
  const python = requirePart(t, 'python')
  if (!python) return
  const program = `
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[1])
context.verify_flags |= ssl.VERIFY_X509_STRICT
with socket.create_connection(('127.0.0.1', int(sys.argv[2]))) as raw:
    with context.wrap_socket(raw, server_hostname=sys.argv[3]) as connection:
        print(connection.recv(5).decode())
`
  await serving(server, async (port) => {
    for (const name of ['127.0.0.1', 'localhost']) {
      assert.equal(
        await output(python, ['-c', program, file('py-ca.pem', authority.certPem), String(port), name]),
        'hello\n',
      )
    }
    await assert.rejects(
      output(python, ['-c', program, file('py-ca.pem', authority.certPem), String(port), 'evil.example']),
    )
  })
})

test('serial numbers are positive, at most 20 bytes, never the same', async () => {
  const issued = await Promise.all(Array.from({ length: 50 }, () => issuer.issue(serverRequest)))
  const serials = issued.map(({ certPem }) => new X509Certificate(certPem).serialNumber)
  for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/)
  assert.equal(new Set(serials).size, serials.length)
  assert.equal(new Set(issued.map(({ keyPem }) => keyPem)).size, issued.length)
})

test('RSA authorities and clients of given subjects', async () => {
  const subject: CertificateRequest['subject'] = [
    { type: 'C', value: 'NL' },
    { type: 'O', value: 'Öl & Söhne' },
    { type: 'CN', value: 'valkey' },
  ]
  const rsa = await createAuthority({ subject, notBefore: now, days: 30, keyType: 'rsa4096' })
  assert.match(details(rsa.certPem), /Public-Key: \(4096 bit\)/)
  const client = await (await makeIssuer(rsa)).issue({
    ...serverRequest,
    subject,
    dnsNames: [],
    ipAddresses: [],
    usages: ['client'],
    keyType: 'rsa2048',
    days: 20,
  })
  assert.match(verify(rsa.certPem, client.certPem, '-purpose', 'sslclient'), /^0 /)
  assert.match(verify(rsa.certPem, client.certPem, '-purpose', 'sslserver'), /^2 /)
  const text = details(client.certPem)
  assert.match(text, /Public-Key: \(2048 bit\)/)
  assert.match(text, /Digital Signature, Key Encipherment/)
  assert.equal(text.includes('Subject Alternative Name'), false)
  assert.equal(new X509Certificate(client.certPem).toLegacyObject().subject['O'], 'Öl & Söhne')
})

test('no certificate outlives its authority, and a dead authority issues nothing', async () => {
  const short = await createAuthority({ subject: caSubject, notBefore: new Date(now.getTime() - 2 * dayMs), days: 3 })
  const { notAfter } = await (await makeIssuer(short)).issue(serverRequest)
  assert.deepEqual(notAfter, certificateFacts(short.certPem).notAfter)
  const dead = await createAuthority({ subject: caSubject, notBefore: new Date(now.getTime() - 2 * dayMs), days: 1 })
  await refused((await makeIssuer(dead)).issue(serverRequest), /expired on/)
})

test('dates from 2050 on are encoded as clients expect', async () => {
  const distant = await createAuthority({ subject: caSubject, notBefore: now, days: 36_500 })
  const issued = await (await makeIssuer(distant)).issue({ ...serverRequest, days: 20_000 })
  assert.ok(certificateFacts(issued.certPem).notAfter.getUTCFullYear() > 2050)
  assert.match(verify(distant.certPem, issued.certPem), /^0 /)
})

test('what cannot be certified is refused', async () => {
  const issue = (change: Partial<CertificateRequest>) => issuer.issue({ ...serverRequest, ...change })
  for (const name of [
    '',
    ' ',
    'a b',
    '-a.example',
    'a..b',
    '10.0.0.1',
    'a.example\n',
    '*',
    'a.*.example',
    'ä.example',
    'a'.repeat(64),
  ]) {
    await refused(issue({ dnsNames: [name] }), /is not a DNS name/)
  }
  for (const address of ['', 'localhost', '1.2.3', '1.2.3.4.5', 'fe80::1%eth0', '127.0.0.1\n', '01.2.3.4']) {
    await refused(issue({ ipAddresses: [address] }), /is not an IP address/)
  }
  await refused(issue({ dnsNames: [], ipAddresses: [] }), /needs a DNS name or an address/)
  await refused(issue({ usages: [] }), /usage/)
  await refused(issue({ subject: [] }), /subject/)
  await refused(issue({ subject: [{ type: 'CN', value: 'x'.repeat(65) }] }), /cannot be the CN/)
  await refused(issue({ subject: [{ type: 'C', value: 'nl' }] }), /cannot be the C/)
  for (const days of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) await refused(issue({ days }), /lifetime/)
})

test('an authority whose parts do not fit is refused, and its key is not in the error', async () => {
  const other = await createAuthority({ subject: caSubject, notBefore: now, days: 10 })
  await refused(makeIssuer({ certPem: authority.certPem, keyPem: other.keyPem }), /do not belong together/)
  await refused(makeIssuer({ certPem: server.certPem, keyPem: server.keyPem }), /no authority/)
  const broken = authority.keyPem.slice(0, 100)
  await refused(
    makeIssuer({ certPem: authority.certPem, keyPem: broken }),
    /^The authority's key is not a P-256 or RSA private key\.$/,
  )
  assert.equal(fingerprintOfPem(authority.certPem).length, 64)
})

/** Standard output of a command that must succeed; asynchronous, since this process serves it. */
async function output(command: string, args: string[]): Promise<string> {
  return (await promisify(execFile)(command, args)).stdout
}
