/** What a check of a stack has to know of its certificates. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificateDetails, CertificatesFacts, PairFacts } from '../domain/stack/check/certificates.ts'
import { certificateFiles } from '../domain/stack/places.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import { canonicalAddress, certificateFacts, isIssuedBy } from '../vault/certificates.ts'

/** @param read the text of one of the certificate files; undefined where there is none to read */
export function certificatesFacts(
  spec: StackSpec,
  read: (file: string) => string | undefined,
  now: Date,
): CertificatesFacts {
  const { caCert, caKey, serverCert, serverKey, clientCert, clientKey } = certificateFiles
  const ca = parsed(read(caCert))
  const pair = (cert: string, key: string) => pairFacts(parsed(read(cert)), read(key), usable(ca))
  const { names, addresses } = spec.certificates
  return {
    ca: pairFacts(ca, read(caKey), usable(ca)),
    server: pair(serverCert, serverKey),
    client: pair(clientCert, clientKey),
    wanted: { dns: names, addresses: addresses.map(canonicalAddress) },
    now,
  }
}

type Parsed = X509Certificate | 'absent' | 'unusable'
const usable = (cert: Parsed): X509Certificate | null => (typeof cert === 'string' ? null : cert)

function parsed(pem: string | undefined): Parsed {
  if (pem === undefined) return 'absent'
  try {
    return new X509Certificate(pem)
  } catch {
    return 'unusable'
  }
}

function pairFacts(cert: Parsed, keyPem: string | undefined, ca: X509Certificate | null): PairFacts {
  if (typeof cert === 'string') return { cert, key: 'absent' }
  return { cert: details(cert, ca), key: keyPem === undefined ? 'absent' : keyState(cert, keyPem) }
}

function keyState(cert: X509Certificate, keyPem: string): PairFacts['key'] {
  try {
    return cert.checkPrivateKey(createPrivateKey(keyPem)) ? 'fits' : 'foreign'
  } catch {
    return 'unusable'
  }
}

function details(cert: X509Certificate, ca: X509Certificate | null): CertificateDetails {
  const { notBefore, notAfter, dnsNames, ips } = certificateFacts(cert.toString())
  const { asymmetricKeyType: keyType = 'unknown', asymmetricKeyDetails: key } = cert.publicKey
  return {
    subject: cert.subject.split('\n'),
    notBefore,
    notAfter,
    dnsNames,
    ips,
    isCa: cert.ca,
    signedByCa: ca === null ? null : isIssuedBy(cert, ca),
    // Node calls them keyUsage: they are the extended ones.
    purposes: (cert.keyUsage as string[] | undefined) ?? null,
    usages: keyUsages(cert.raw),
    keyType,
    keyBits: key?.modulusLength ?? null,
    signature: cert.signatureAlgorithm ?? 'unknown',
  }
}

/** OBJECT IDENTIFIER 2.5.29.15, keyUsage. */
const keyUsageOid = Buffer.from('0603551d0f', 'hex')
const keyUsageNames = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
]

/** Read from the DER, since Node does not tell: the identifier, maybe TRUE for critical, an OCTET STRING, in it a BIT STRING. */
function keyUsages(der: Buffer): string[] | null {
  const at = der.indexOf(keyUsageOid)
  if (at === -1) return null
  const rest = der.subarray(at + keyUsageOid.length)
  const value = rest[0] === 0x01 ? rest.subarray(3) : rest
  // 04 LENGTH 03 LENGTH UNUSED BITS
  const bits = value[5] ?? 0
  return keyUsageNames.filter((_, i) => (bits & (0x80 >> i)) !== 0)
}
