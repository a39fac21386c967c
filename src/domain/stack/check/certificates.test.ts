import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertFindings, type Expected, names } from '../../../../test/support/stack-check.ts'
import { defaultSpec } from '../default-spec.ts'
import { type CertificateDetails, type CertificatesFacts, judgeCertificates, type PairFacts } from './certificates.ts'

const spec = defaultSpec()
const now = new Date('2030-01-01T00:00:00Z')
const days = (count: number) => new Date(now.getTime() + count * 86_400_000)
const OID = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' }

const leaf: CertificateDetails = {
  subject: ['CN=valkey', 'O=OdraLabs'],
  notBefore: days(-65),
  notAfter: days(300),
  dnsNames: ['valkey', 'localhost'],
  ips: ['127.0.0.1', '::1'],
  isCa: false,
  signedByCa: true,
  purposes: [OID.server],
  usages: ['digitalSignature', 'keyEncipherment'],
  keyType: 'rsa',
  keyBits: 2048,
  signature: 'sha256WithRSAEncryption',
}
const right = {
  ca: {
    ...leaf,
    subject: ['CN=Molis-Valkey-CA', 'O=OdraLabs'],
    dnsNames: [],
    ips: [],
    isCa: true,
    purposes: null,
    usages: ['keyCertSign', 'cRLSign'],
    keyBits: 4096,
  },
  server: leaf,
  client: { ...leaf, subject: ['CN=valkey-client', 'O=OdraLabs'], dnsNames: [], ips: [], purposes: [OID.client] },
}
type Which = keyof typeof right

function judge(
  changes: Partial<Record<Which, Partial<CertificateDetails>>>,
  pairs: Partial<Record<Which, Partial<PairFacts>>> = {},
) {
  const pair = (which: Which): PairFacts => ({
    cert: { ...right[which], ...changes[which] },
    key: 'fits',
    ...pairs[which],
  })
  const facts: CertificatesFacts = {
    ca: pair('ca'),
    server: pair('server'),
    client: pair('client'),
    wanted: { dns: spec.certificates.names, addresses: spec.certificates.addresses },
    now,
  }
  return judgeCertificates(spec, facts, names)
}

const ofServer = (detail: RegExp, fix?: RegExp): Expected[] => [
  ['fail', 'certificate server.crt', detail, ...(fix ? [fix] : [])] as Expected,
]
const ofCa = (detail: RegExp, fix?: RegExp): Expected[] => [
  ['fail', 'certificate ca.crt', detail, ...(fix ? [fix] : [])] as Expected,
]

const cases: [Which, Partial<CertificateDetails>, Expected[]][] = [
  ['server', { signedByCa: false }, ofServer(/server\.crt is not signed by ca\.crt/, /^valkeep stack certs --renew$/)],
  ['server', { signedByCa: null }, []],
  ['server', { isCa: true }, ofServer(/certificate of a CA/)],
  ['server', { purposes: [OID.client] }, ofServer(/serverAuth/)],
  ['server', { purposes: [OID.client, OID.server] }, []],
  ['server', { purposes: null, usages: null }, []],
  ['server', { usages: ['keyEncipherment'] }, ofServer(/digitalSignature/)],
  ['server', { dnsNames: ['localhost'] }, ofServer(/does not carry valkey, the name of the service/, /--renew$/)],
  ['server', { dnsNames: ['VALKEY', 'localhost', 'more'] }, []],
  ['server', { ips: ['127.0.0.1'] }, ofServer(/does not carry ::1/)],
  ['server', { keyBits: 1024 }, ofServer(/1024 bits/)],
  ['server', { keyType: 'ec', keyBits: null }, []],
  ['server', { signature: 'sha1WithRSAEncryption' }, ofServer(/sha1With/)],
  ['server', { signature: 'ecdsa-with-SHA1' }, ofServer(/SHA1/)],
  ['server', { signature: 'RSA-SHA512' }, []],
  ['server', { notAfter: days(-1) }, ofServer(/expired on 2029-12-31/, /^valkeep stack certs --renew --apply$/)],
  ['server', { notBefore: days(1) }, ofServer(/not valid before/, /clock/)],
  [
    'server',
    { notAfter: days(29) },
    [['warn', 'certificate server.crt', /ends in 29 days, on 2030-01-30/, /^valkeep stack certs --renew --apply$/]],
  ],
  ['server', { notAfter: days(31) }, []],
  // Made for a week it is not at its end at once.
  ['server', { notBefore: days(0), notAfter: days(7) }, []],
  ['server', { notBefore: days(-5), notAfter: days(2) }, [['warn', 'certificate server.crt', /ends in 2 days/]]],
  [
    'server',
    { subject: ['CN=other'] },
    [['warn', 'certificate server.crt', /\/CN=other; stack\.yaml says \/CN=valkey\/O=OdraLabs/]],
  ],
  ['client', { purposes: [OID.server] }, [['fail', 'certificate client.crt', /clientAuth/]]],
  ['ca', { isCa: false }, ofCa(/not the certificate of a CA/, /--force$/)],
  ['ca', { signedByCa: false }, ofCa(/not signed by itself/)],
  ['ca', { usages: ['digitalSignature'] }, ofCa(/keyCertSign/)],
  ['ca', { notAfter: days(20) }, [['warn', 'certificate ca.crt', /ends in 20 days/, /--renew-ca --renew --apply$/]]],
  ['ca', { notAfter: days(-2) }, ofCa(/expired/, /--renew-ca --renew --apply$/)],
]

test('right certificates are well, and each thing that is wrong with one is one finding', () => {
  assertFindings(judge({}), [], 'as made')
  for (const [which, change, expected] of cases)
    assertFindings(judge({ [which]: change }), expected, `${which} ${JSON.stringify(change)}`)
})

test('a pair that ends with its authority is renewed with it', () => {
  const findings = judge({ ca: { notAfter: days(10) }, server: { notAfter: days(10) } })
  assert.deepEqual(
    findings.map(({ fix }) => fix),
    ['valkeep stack certs --renew-ca --renew --apply', 'valkeep stack certs --renew-ca --renew --apply', null],
  )
})

test('what is no pair is one finding, and what is missing none: that is said elsewhere', () => {
  const pairs: [Which, Partial<PairFacts>, Expected[]][] = [
    ['server', { cert: 'absent', key: 'absent' }, []],
    ['server', { key: 'absent' }, []],
    ['server', { cert: 'unusable', key: 'absent' }, ofServer(/is not a certificate/, /--renew$/)],
    ['server', { key: 'unusable' }, ofServer(/server\.key cannot be read as a private key/)],
    ['server', { key: 'foreign' }, ofServer(/server\.key is not the key of .*server\.crt/)],
    ['ca', { key: 'foreign' }, ofCa(/ca\.key is not the key of/, /--force$/)],
  ]
  for (const [which, pair, expected] of pairs)
    assertFindings(judge({}, { [which]: pair }), expected, JSON.stringify(pair))
})

test('a wildcard covers one level', () => {
  const wide = { ...spec, certificates: { ...spec.certificates, names: ['valkey', 'a.example.org'] } }
  const facts = (dnsNames: string[]): CertificatesFacts => ({
    ca: { cert: right.ca, key: 'fits' },
    server: { cert: { ...right.server, dnsNames }, key: 'fits' },
    client: { cert: right.client, key: 'fits' },
    wanted: { dns: wide.certificates.names, addresses: [] },
    now,
  })
  assertFindings(judgeCertificates(wide, facts(['valkey', '*.example.org']), names), [], 'wildcard')
  assertFindings(judgeCertificates(wide, facts(['valkey', '*.org']), names), ofServer(/a\.example\.org/), 'too wide')
})
