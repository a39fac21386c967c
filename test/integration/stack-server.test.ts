/**
 * The server of a stack on its generated files: whom TLS lets in, and that data outlives a kill and a stop. On every line of Valkey.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { certificateFiles as names } from '../../src/domain/stack/places.ts'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { fingerprintOfPem } from '../../src/vault/certificates.ts'
import { valkeyBinaries } from '../support/parts.ts'
import { engineOf, makeStack, pingOverTls, type Stack, type StackServer, startStackServer } from '../support/stack.ts'
import { until } from '../support/until.ts'

type Pair = { cert: string; key: string }

/** The certificates of all: new keys take seconds. */
let made: Stack
/** Pairs that a server of the stack must not let in. */
let wrong: Record<'expired' | 'of another CA' | 'early' | 'for servers alone' | 'self-signed', Pair>

const subject = (CN: string) => [{ type: 'CN' as const, value: CN }]
const dayMs = 86_400_000

async function clientPair(authority: { certPem: string; keyPem: string }, now: Date, days: number): Promise<Pair> {
  const issuer = await makeIssuer(authority)
  const request = { subject: subject('valkey-client'), dnsNames: [], ipAddresses: [], usages: ['client' as const] }
  const { certPem, keyPem } = await issuer.issue({ ...request, now, days })
  return { cert: certPem, key: keyPem }
}

before(async () => {
  made = await makeStack()
  const own = { certPem: made.pem(names.caCert), keyPem: made.pem(names.caKey) }
  const now = new Date()
  const foreign = await createAuthority({ subject: subject('Molis-Valkey-CA'), notBefore: now, days: 1 })
  wrong = {
    expired: await clientPair(own, new Date(now.getTime() - 2 * dayMs), 1),
    early: await clientPair(own, new Date(now.getTime() + dayMs), 1),
    'of another CA': await clientPair(foreign, now, 1),
    'for servers alone': { cert: made.pem(names.serverCert), key: made.pem(names.serverKey) },
    'self-signed': { cert: foreign.certPem, key: foreign.keyPem },
  }
})
after(() => made?.remove())

for (const { version, path: binary } of valkeyBinaries())
  describe(`server of a stack on valkey ${version}`, () => {
    let stack: Stack
    let server: StackServer

    before(async () => {
      stack = await makeStack({ engine: engineOf(version), certificatesOf: made })
      server = await startStackServer({ binary, stack })
    })
    after(async () => {
      await server?.stop()
      stack?.remove()
    })

    const ping = (options?: ConnectionOptions) => pingOverTls(stack, server.port, options)
    const TLSv12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const

    test('a client with the stack’s certificate is let in, by TLS 1.3 and 1.2, by name and by address', async () => {
      for (const protocol of [{}, TLSv12])
        for (const host of ['127.0.0.1', 'localhost'])
          assert.match(await ping({ ...protocol, host, servername: host === 'localhost' ? host : '' }), /^-NOAUTH/)
      assert.match(await ping({ servername: 'valkey' }), /^-NOAUTH/)
    })

    test('the certificate served is the one generated', async () => {
      await using session = await server.login('healthcheck')
      assert.equal(session.servedFingerprint, fingerprintOfPem(stack.pem(names.serverCert)))
    })

    test('a client that does not trust the CA, or calls the server by another name, does not go on', async () => {
      const codes = /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/
      await assert.rejects(ping({ ca: wrong['self-signed'].cert }), { code: codes })
      for (const servername of ['other', 'valkey.example.com', 'x.localhost'])
        await assert.rejects(ping({ servername }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    })

    test('a client without a certificate, or with a wrong one, is refused', async () => {
      const alerts: Record<keyof typeof wrong, RegExp> = {
        expired: /ALERT_CERTIFICATE_EXPIRED$/,
        early: /ALERT_BAD_CERTIFICATE$/,
        'of another CA': /ALERT_UNKNOWN_CA$/,
        'for servers alone': /ALERT_UNSUPPORTED_CERTIFICATE$/,
        'self-signed': /ALERT_UNKNOWN_CA$/,
      }
      for (const protocol of [{}, TLSv12]) {
        for (const [name, code] of Object.entries(alerts))
          await assert.rejects(ping({ ...protocol, ...wrong[name as keyof typeof wrong] }), { code }, name)
        const none = { ...protocol, cert: undefined, key: undefined } as ConnectionOptions
        await assert.rejects(ping(none), { code: /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)$/ })
      }
    })

    test('TLS 1.1 is refused, and so is plaintext: the server listens for nothing else', async () => {
      // Only at this level does our side offer it at all.
      const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' } as const
      await assert.rejects(ping(old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' })
      const plain = connect(server.port, '127.0.0.1')
      let said = ''
      plain.on('data', (chunk) => {
        said += chunk.toString('latin1')
      })
      plain.on('error', () => {})
      plain.write('PING\r\n')
      await new Promise((resolve) => plain.once('close', resolve))
      assert.doesNotMatch(said, /PONG|NOAUTH|ERR/)
      await using session = await server.login('healthcheck')
      const listeners = String(await session.call(['INFO', 'server'])).match(/^listener.*$/gm)
      assert.equal(listeners?.length, 1)
      assert.match(String(listeners), new RegExp(`^listener\\d+:name=tls,bind=127\\.0\\.0\\.1,port=${server.port}`))
    })

    test('what was written outlives a kill -9 and a stop, in files of the stack’s names', async () => {
      const options = { binary, stack, data: 'kept' }
      const sent = Array.from({ length: 1000 }, (_, i) => ['SET', `molis:approved:${i}`, `value ${i}`])
      const values = sent.map(([, , value]) => value)
      const read = async ({ login }: StackServer) => {
        await using session = await login('mcp-admin')
        return await session.call(['MGET', ...sent.map(([, key = '']) => key)])
      }
      await using first = await startStackServer(options)
      const admin = await first.login('mcp-admin')
      await Promise.all(sent.map((command) => admin.call(command)))
      // Postponed where an earlier fsync is still under way.
      await until(
        async () => /aof_buffer_length:0\r/.test(String(await admin.call(['INFO', 'persistence']))),
        'AOF written',
      )
      await first.kill()

      await using second = await startStackServer(options)
      assert.deepEqual(await read(second), values)
      assert.equal(await second.stop(), 0)
      const files = readdirSync(second.dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
      const found = files.map(({ name }) => name.replace(/^molis\.aof\.\d+\./, 'molis.aof.N.')).toSorted()
      const aof = ['molis.aof.N.base.rdb', 'molis.aof.N.incr.aof', 'molis.aof.manifest']
      assert.deepEqual(found, [...aof, 'molis.rdb'])

      await using third = await startStackServer(options)
      assert.deepEqual(await read(third), values)
      assert.equal(await third.stop(), 0)
    })
  })
