import { X509Certificate } from 'node:crypto'
import { isIP, SocketAddress } from 'node:net'
import { VaultError } from './vault-error.ts'

export type CertificateFacts = {
  notBefore: Date
  notAfter: Date
  /** SHA-256 of the DER, lower-case hex without colons. */
  fingerprint: string
  /** As the certificate has them. */
  dnsNames: string[]
  /** In the form `canonicalAddress` gives. */
  ips: string[]
}

/**
 * What a certificate says; of several in one text, the first.
 * @throws VaultError `certificate` where it is not one
 */
export function certificateFacts(pem: string): CertificateFacts {
  const certificate = parseCertificate(pem)
  const names = alternativeNames(certificate.subjectAltName ?? '')
  return {
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    fingerprint: fingerprintOf(certificate),
    dnsNames: names.filter(({ type }) => type === 'DNS').map(({ value }) => value),
    ips: names.filter(({ type }) => type === 'IP Address').map(({ value }) => canonicalAddress(value)),
  }
}

/** SHA-256 of a PEM certificate's DER, lower-case hex: what a handshake must show. */
export function fingerprintOfPem(pem: string): string {
  return fingerprintOf(parseCertificate(pem))
}

/**
 * One PEM text of all certificates in `pems` (each may be a bundle itself), in their order, each once. Clients that
 * trust the bundle accept servers under the old and the new authority while one replaces the other.
 */
export function bundle(pems: string[]): string {
  const blocks = pems.flatMap((pem) => pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [''])
  const unique = new Map(
    blocks.map(parseCertificate).map((certificate) => [fingerprintOf(certificate), certificate.toString()]),
  )
  return [...unique.values()].join('')
}

/** An IP address as the operating system writes it: `2001:DB8:0:0::1` is `2001:db8::1`. What is no address stays as it is. */
export function canonicalAddress(address: string): string {
  if (isIP(address) !== 6) return address
  return new SocketAddress({ family: 'ipv6', address }).address
}

/** @throws VaultError `certificate` */
export function parseCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw new VaultError('certificate', 'A text that should be a PEM certificate is not one.')
  }
}

/** Whether an authority signed a certificate: by name, by key identifier and by signature. */
export function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.checkIssued(authority) && certificate.verify(authority.publicKey)
  } catch {
    // A key of a kind that cannot verify has signed nothing.
    return false
  }
}

function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase()
}

/** Node writes `DNS:a, IP Address:1.2.3.4`, and a value that could be taken for more than itself as a JSON string. */
function alternativeNames(text: string): { type: string; value: string }[] {
  return [...text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, type = '', value = '']) => ({
    type,
    value: value.startsWith('"') ? String(JSON.parse(value)) : value,
  }))
}
