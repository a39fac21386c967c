/**
 * The installation's certificate authority. Importing this file costs about 100 ms (reflection and ASN.1 schemas):
 * import it lazily, where a certificate is really made. Reading certificates needs only certificates.ts.
 */
import 'reflect-metadata'
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  webcrypto,
} from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import * as x509 from '@peculiar/x509'
import { canonicalAddress, parseCertificate } from './certificates.ts'
import { sha256Hex } from './random.ts'
import { VaultError } from './vault-error.ts'

export type KeyType = 'p256' | 'rsa2048' | 'rsa4096'

/** One relative distinguished name; a subject is a list of them, most general first or as a format asks. */
export type Rdn = { type: 'CN' | 'O' | 'OU' | 'L' | 'ST' | 'C'; value: string }

/** A certificate authority as it is stored: the certificate is public, the key is for the vault. */
export type Authority = { certPem: string; keyPem: string }

export type CertificateRequest = {
  subject: Rdn[]
  /** DNS names it is reached by; a leading `*.` is allowed. */
  dnsNames: string[]
  /** IPv4 and IPv6 addresses it is reached by. A server needs at least one name or address. */
  ipAddresses: string[]
  /** What it may be shown as; both by default, since a server of ours is a client of its primary. */
  usages?: ('server' | 'client')[]
  keyType?: KeyType
  /** PKCS#8 or PKCS#1 of a key that is there already and goes on; instead of a new one of `keyType`. */
  keyPem?: string
  now: Date
  /** Lifetime from `now`; cut to what the authority has left. */
  days: number
}

export type IssuedCertificate = {
  certPem: string
  /** PKCS#8. */
  keyPem: string
  /** SHA-256 of the certificate's DER, lower-case hex. */
  fingerprint: string
  notAfter: Date
}

export type Issuer = {
  /** @throws VaultError `certificate` where the request cannot be met: a bad name, no name, an authority at its end */
  issue(request: CertificateRequest): Promise<IssuedCertificate>
}

const dayMs = 86_400_000
/** Clients whose clock is behind by as much still accept a new certificate. */
const clockSkewMs = 5 * 60_000
const commonNameMax = 64
const usageOid = { server: x509.ExtendedKeyUsage.serverAuth, client: x509.ExtendedKeyUsage.clientAuth }
// Built once: encoding an extension costs as much as making a key.
const { digitalSignature, keyEncipherment, keyCertSign, cRLSign } = x509.KeyUsageFlags
const noAuthority = new x509.BasicConstraintsExtension(false, undefined, true)
const ecKeyUsage = new x509.KeyUsagesExtension(digitalSignature, true)
const rsaKeyUsage = new x509.KeyUsagesExtension(digitalSignature | keyEncipherment, true)
const bothUsages = new x509.ExtendedKeyUsageExtension([usageOid.server, usageOid.client])
const dnsName =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/i
const publicKeyEncoding = { type: 'spki', format: 'der' } as const
const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const
const generateKeyPairAsync = promisify(generateKeyPair)

/**
 * A new self-signed authority that may sign certificates and revocation lists, and no other authority.
 * @param notBefore exact: put it a little into the past for clients whose clocks are behind
 * @throws VaultError `certificate` where the subject is not usable
 */
export async function createAuthority(request: {
  subject: Rdn[]
  notBefore: Date
  days: number
  keyType?: KeyType
  /** A key that is there already, instead of a new one of `keyType`. */
  keyPem?: string
}): Promise<Authority> {
  const keys = await keysFor(request)
  const certPem = await selfSigned(request, keys, nameOf(request.subject), keyIdentifier(keys.spki))
  return { certPem, keyPem: keys.keyPem }
}

/**
 * The same authority for longer: its key, name and key identifier stay, so that what it issued before still verifies.
 * @throws VaultError `certificate` where its certificate and key do not belong together or are no authority
 */
export async function renewAuthority(
  authority: Authority,
  request: { notBefore: Date; days: number },
): Promise<Authority> {
  const { certificate, keyId } = readAuthority(authority)
  const keys = await keysFor(authority)
  const certPem = await selfSigned(request, keys, certificate.subjectName, keyId)
  return { certPem, keyPem: authority.keyPem }
}

async function selfSigned(
  validity: { notBefore: Date; days: number },
  keys: Keys,
  subject: x509.Name,
  keyId: string,
): Promise<string> {
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: subject,
    notBefore: validity.notBefore,
    notAfter: new Date(validity.notBefore.getTime() + lifetimeMs(validity.days)),
    publicKey: keys.spki,
    signingKey: await importSigningKey(keys.keyPem),
    signingAlgorithm: { name: signatureName(keys.keyType), hash: 'SHA-256' },
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
      new x509.SubjectKeyIdentifierExtension(keyId),
    ],
  })
  return pemOf(certificate)
}

function readAuthority({ certPem, keyPem }: Authority): { certificate: x509.X509Certificate; keyId: string } {
  const parsed = parseCertificate(certPem)
  if (!parsed.ca || !parsed.checkPrivateKey(createPrivateKey(keyPem))) {
    throw new VaultError(
      'certificate',
      "The authority's certificate and key do not belong together, or it is no authority.",
    )
  }
  const certificate = new x509.X509Certificate(parsed.raw)
  const keyId = certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId
  if (!keyId) throw new VaultError('certificate', "The authority's certificate has no subject key identifier.")
  return { certificate, keyId }
}

/**
 * Issues certificates under one authority, whose certificate and key are read once, here.
 * @throws VaultError `certificate` where the two do not belong together or are no authority
 */
export async function makeIssuer(authority: Authority): Promise<Issuer> {
  const signingKey = await importSigningKey(authority.keyPem)
  const { certificate, keyId } = readAuthority(authority)
  const authorityKeyIdentifier = new x509.AuthorityKeyIdentifierExtension(keyId)

  return {
    async issue(request) {
      const validity = validityOf(request, certificate.notAfter)
      const subject = nameOf(request.subject)
      // Before a key is made: that takes a while, and a bad name needs none.
      const extensions = leafExtensions(request)
      const keys = await keysFor(request)
      const issued = await x509.X509CertificateGenerator.create({
        serialNumber: newSerial(),
        subject,
        // The parsed name as it is: chains are built by comparing its bytes.
        issuer: certificate.subjectName,
        ...validity,
        publicKey: keys.spki,
        signingKey,
        signingAlgorithm: { name: signingKey.algorithm.name, hash: 'SHA-256' },
        extensions: [
          noAuthority,
          keys.keyType === 'p256' ? ecKeyUsage : rsaKeyUsage,
          ...extensions,
          new x509.SubjectKeyIdentifierExtension(keyIdentifier(keys.spki)),
          authorityKeyIdentifier,
        ],
      })
      return {
        certPem: pemOf(issued),
        keyPem: keys.keyPem,
        fingerprint: sha256Hex(Buffer.from(issued.rawData)),
        notAfter: validity.notAfter,
      }
    },
  }
}

function leafExtensions(request: CertificateRequest): x509.Extension[] {
  const usages = request.usages ?? ['server', 'client']
  const names = alternativeNames(request)
  if (usages.length === 0) throw new VaultError('certificate', 'A certificate needs a usage.')
  if (usages.includes('server') && names.length === 0) {
    throw new VaultError('certificate', "A server's certificate needs a DNS name or an address.")
  }
  return [
    request.usages ? new x509.ExtendedKeyUsageExtension(usages.map((usage) => usageOid[usage])) : bothUsages,
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ]
}

function alternativeNames({ dnsNames, ipAddresses }: CertificateRequest): x509.JsonGeneralName[] {
  for (const name of dnsNames) {
    if (!dnsName.test(name) || isIP(name))
      throw new VaultError('certificate', `${JSON.stringify(name)} is not a DNS name.`)
  }
  for (const address of ipAddresses) {
    // A zone (fe80::1%eth0) has no place in a certificate.
    if (!isIP(address) || address.includes('%')) {
      throw new VaultError('certificate', `${JSON.stringify(address)} is not an IP address.`)
    }
  }
  return [
    ...[...new Set(dnsNames)].map((value) => ({ type: 'dns' as const, value })),
    ...[...new Set(ipAddresses.map(canonicalAddress))].map((value) => ({ type: 'ip' as const, value })),
  ]
}

/** No longer than the authority: a certificate whose authority has expired fails at every client. */
function validityOf({ now, days }: CertificateRequest, authorityEnd: Date): { notBefore: Date; notAfter: Date } {
  const end = Math.min(now.getTime() + lifetimeMs(days), authorityEnd.getTime())
  if (end <= now.getTime()) {
    throw new VaultError(
      'certificate',
      `The authority expired on ${authorityEnd.toISOString()}: it can issue nothing more.`,
    )
  }
  // Certificates carry whole seconds.
  return { notBefore: new Date(now.getTime() - clockSkewMs), notAfter: new Date(Math.floor(end / 1000) * 1000) }
}

function lifetimeMs(days: number): number {
  if (Number.isFinite(days) && days > 0) return days * dayMs
  throw new VaultError('certificate', `A lifetime of ${days} days is not possible.`)
}

function nameOf(subject: Rdn[]): x509.Name {
  if (subject.length === 0) throw new VaultError('certificate', 'A certificate needs a subject.')
  return new x509.Name(
    subject.map(({ type, value }) => {
      if (value.length < 1 || value.length > commonNameMax || (type === 'C' && !/^[A-Z]{2}$/.test(value))) {
        throw new VaultError('certificate', `${JSON.stringify(value)} cannot be the ${type} of a subject.`)
      }
      // Given as an object, a value is taken literally; as a string, the library reads quotes, # and \ in it.
      return { [type]: [type === 'C' ? { printableString: value } : { utf8String: value }] }
    }),
  )
}

type Keys = { spki: Buffer; keyPem: string; keyType: KeyType }

/** The key that is there, else a new one. @throws VaultError `certificate` where it is no P-256 or RSA key */
async function keysFor({ keyPem, keyType = 'p256' }: { keyPem?: string; keyType?: KeyType }): Promise<Keys> {
  if (keyPem === undefined) return { ...(await newKeys(keyType)), keyType }
  const key = privateKeyOf(keyPem, 'The key')
  const spki = createPublicKey(key).export(publicKeyEncoding)
  const isEc = key.asymmetricKeyType === 'ec'
  return { spki, keyPem, keyType: isEc ? 'p256' : 'rsa2048' }
}

/** A new private key, PKCS#8: for who wants several made side by side, or the certificate later. */
export async function newKeyPem(keyType: KeyType): Promise<string> {
  return (await newKeys(keyType)).keyPem
}

/** P-256 on the spot (0.1 ms); RSA (0.2–2 s) on the thread pool, so that the event loop goes on. */
async function newKeys(keyType: KeyType): Promise<{ spki: Buffer; keyPem: string }> {
  if (keyType === 'p256') {
    const { publicKey, privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding,
      privateKeyEncoding,
    })
    return { spki: publicKey, keyPem: privateKey }
  }
  const modulusLength = keyType === 'rsa2048' ? 2048 : 4096
  const { publicKey, privateKey } = await generateKeyPairAsync('rsa', {
    modulusLength,
    publicKeyEncoding,
    privateKeyEncoding,
  })
  return { spki: publicKey, keyPem: privateKey }
}

/** @throws VaultError `certificate`, without a word of the key */
async function importSigningKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const key = privateKeyOf(keyPem, "The authority's key")
  const algorithm =
    key.asymmetricKeyType === 'ec'
      ? { name: signatureName('p256'), namedCurve: 'P-256' }
      : { name: signatureName('rsa2048'), hash: 'SHA-256' }
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' })
  return await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
}

/** @throws VaultError `certificate`, without a word of the key */
function privateKeyOf(keyPem: string, whose: string): KeyObject {
  let key: KeyObject | undefined
  try {
    key = createPrivateKey(keyPem)
  } catch {
    // Said below: OpenSSL's own words name nothing that helps.
  }
  const usable =
    key?.asymmetricKeyType === 'rsa' ||
    (key?.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
  if (key === undefined || !usable) throw new VaultError('certificate', `${whose} is not a P-256 or RSA private key.`)
  return key
}

function signatureName(keyType: KeyType): string {
  return keyType === 'p256' ? 'ECDSA' : 'RSASSA-PKCS1-v1_5'
}

/** RFC 7093 method 4: 160 bits of the SHA-256 of the public key's DER, in hex. */
function keyIdentifier(spki: Buffer): string {
  return sha256Hex(spki).slice(0, 40)
}

/** 16 random bytes in hex, of which the first keeps the number positive and of constant length (RFC 5280: at most 20 bytes). */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0)
  return bytes.toString('hex')
}

function pemOf(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}
