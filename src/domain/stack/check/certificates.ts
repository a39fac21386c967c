/** Whether a stack's certificates do what they are for, and for how much longer. */
import { fail, type Finding, ok, warn } from '../../finding.ts'
import { certificateFiles } from '../places.ts'
import { missingNames, type ServerNames } from '../server-names.ts'
import type { StackSpec } from '../spec.ts'
import type { Names } from './facts.ts'

/** What a certificate says of itself, and what was found by computing. */
export type CertificateDetails = {
  /** `CN=valkey`, in its order. */
  subject: readonly string[]
  notBefore: Date
  notAfter: Date
  dnsNames: readonly string[]
  /** In one spelling each, as `ServerNames.addresses`. */
  ips: readonly string[]
  isCa: boolean
  /** Signed by ca.crt, which it names as its issuer; of ca.crt, by itself. null where ca.crt could not be read. */
  signedByCa: boolean | null
  /** Object identifiers of its extended key usages; null where it is not restricted to any. */
  purposes: readonly string[] | null
  /** Bits of its key usage, by name; null where it is not restricted to any. */
  usages: readonly string[] | null
  keyType: string
  /** null for a key whose size says nothing. */
  keyBits: number | null
  /** `RSA-SHA256`. */
  signature: string
}

/** `absent`: missing or not to be read, which is another finding; `unusable`: there, and not what it should be. */
export type PairFacts = {
  cert: CertificateDetails | 'absent' | 'unusable'
  key: 'fits' | 'foreign' | 'absent' | 'unusable'
}

/** @property wanted names and addresses that stack.yaml wants of the server */
export type CertificatesFacts = { ca: PairFacts; server: PairFacts; client: PairFacts; wanted: ServerNames; now: Date }

type Which = 'ca' | 'server' | 'client'
const purposeOid = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' } as const
const purposeName = { server: 'a server (serverAuth)', client: 'a client (clientAuth)' } as const
const filesOf = {
  ca: { cert: certificateFiles.caCert, key: certificateFiles.caKey },
  server: { cert: certificateFiles.serverCert, key: certificateFiles.serverKey },
  client: { cert: certificateFiles.clientCert, key: certificateFiles.clientKey },
} as const

const dayMs = 86_400_000

export function judgeCertificates(spec: StackSpec, facts: CertificatesFacts, names: Names): Finding[] {
  return (['ca', 'server', 'client'] as const).flatMap((which) => judgePair(spec, which, facts, names))
}

function judgePair(spec: StackSpec, which: Which, facts: CertificatesFacts, names: Names): Finding[] {
  const { cert, key } = facts[which]
  const check = `certificate ${filesOf[which].cert}`
  const path = (file: string) => names.shown(`${spec.files.certs}/${file}`)
  const certPath = path(filesOf[which].cert)
  const keyPath = path(filesOf[which].key)
  if (cert === 'absent') return []
  if (cert === 'unusable') return [fail(check, `${certPath} is not a certificate`, replacement(which, names))]
  if (key === 'unusable')
    return [
      fail(
        check,
        `${keyPath} cannot be read as a private key (is there a passphrase on it?)`,
        replacement(which, names),
      ),
    ]
  if (key === 'foreign') return [fail(check, `${keyPath} is not the key of ${certPath}`, replacement(which, names))]
  const found = which === 'ca' ? caProblems(cert) : leafProblems(spec, which, cert, facts.wanted)
  const findings = [
    ...found.map((detail) => fail(check, `${certPath} ${detail}`, remedy(which, names))),
    ...strength(check, certPath, which, cert, names),
    ...lifetime(check, certPath, which, facts, cert, names),
    ...subject(spec, check, certPath, which, cert, names),
  ]
  return findings.length > 0 ? findings : [ok(check, summary(which, cert))]
}

/** Where a file is not what its name says. */
const replacement = (which: Which, { command }: Names): string =>
  which === 'ca'
    ? `Put the right file back; or make everything new, for every client too: ${command('certs --force')}`
    : `Put the right file back, or make new pairs: ${command('certs --renew')}`

const remedy = (which: Which, { command }: Names): string => command(which === 'ca' ? 'certs --force' : 'certs --renew')

function caProblems(cert: CertificateDetails): string[] {
  const wrong: string[] = []
  if (!cert.isCa) wrong.push('is not the certificate of a CA')
  if (cert.signedByCa === false) wrong.push('is not signed by itself: clients that have only this file trust nothing')
  if (cert.usages !== null && !cert.usages.includes('keyCertSign'))
    wrong.push('may not sign certificates (no keyCertSign)')
  return wrong
}

function leafProblems(
  spec: StackSpec,
  which: 'server' | 'client',
  cert: CertificateDetails,
  wanted: ServerNames,
): string[] {
  const wrong: string[] = []
  if (cert.isCa) wrong.push('is the certificate of a CA: whoever has its key can make others')
  if (cert.signedByCa === false) wrong.push(`is not signed by ${certificateFiles.caCert}`)
  if (cert.purposes !== null && !cert.purposes.includes(purposeOid[which]))
    wrong.push(`is not for ${purposeName[which]}`)
  if (cert.usages !== null && !cert.usages.includes('digitalSignature'))
    wrong.push('may not sign a handshake (no digitalSignature)')
  if (which === 'server') {
    const missing = missingNames({ dns: cert.dnsNames, addresses: cert.ips }, wanted)
    const own = missing.includes(spec.service.name) ? ', the name of the service' : ''
    if (missing.length > 0)
      wrong.push(`does not carry ${missing.join(', ')}${own}: clients that connect to it refuse it`)
  }
  return wrong
}

/** What today's TLS libraries refuse, or soon will. */
function strength(check: string, path: string, which: Which, cert: CertificateDetails, names: Names): Finding[] {
  const findings: Finding[] = []
  if (/md5|sha-?1(?!\d)/i.test(cert.signature))
    findings.push(
      fail(check, `${path} is signed with ${cert.signature}, which TLS libraries refuse`, remedy(which, names)),
    )
  if (cert.keyType === 'rsa' && cert.keyBits !== null && cert.keyBits < 2048)
    findings.push(
      fail(check, `${path} has an RSA key of ${cert.keyBits} bits, which TLS libraries refuse`, remedy(which, names)),
    )
  return findings
}

const day = (date: Date) => date.toISOString().slice(0, 10)

function lifetime(
  check: string,
  path: string,
  which: Which,
  { ca, now }: CertificatesFacts,
  { notBefore, notAfter }: CertificateDetails,
  { command }: Names,
): Finding[] {
  if (now < notBefore)
    return [
      fail(
        check,
        `${path} is not valid before ${notBefore.toISOString()}`,
        `Set the clock of this machine if it is wrong, else: ${command(which === 'ca' ? 'certs --renew-ca' : 'certs --renew')}`,
      ),
    ]
  const left = notAfter.getTime() - now.getTime()
  const caEnd = typeof ca.cert === 'object' ? ca.cert.notAfter.getTime() : Number.POSITIVE_INFINITY
  // A pair never outlives its authority, so where that ends as well it is renewed first.
  const withCa = which === 'ca' || caEnd - now.getTime() <= warnBefore(notBefore, notAfter)
  const fix = command(withCa ? 'certs --renew-ca --renew --apply' : 'certs --renew --apply')
  if (left <= 0) return [fail(check, `${path} expired on ${day(notAfter)}`, fix)]
  if (left > warnBefore(notBefore, notAfter)) return []
  return [warn(check, `${path} ends in ${Math.floor(left / dayMs)} days, on ${day(notAfter)}`, fix)]
}

/** 30 days, or a third of the lifetime where that is shorter: one of a week is not at its end when it is made. */
const warnBefore = (notBefore: Date, notAfter: Date): number =>
  Math.min(30 * dayMs, (notAfter.getTime() - notBefore.getTime()) / 3)

function subject(
  spec: StackSpec,
  check: string,
  path: string,
  which: Which,
  cert: CertificateDetails,
  { command }: Names,
): Finding[] {
  const wanted = spec.certificates[which]
  const has = cert.subject.map((part) => `/${part}`).join('')
  if (has === wanted) return []
  return [
    warn(
      check,
      `${path} is for ${has}; stack.yaml says ${wanted}`,
      `Say in stack.yaml which one is meant${which === 'ca' ? '' : `, or: ${command('certs --renew')}`}`,
    ),
  ]
}

function summary(which: Which, cert: CertificateDetails): string {
  const key = `${cert.keyType.toUpperCase()}${cert.keyBits === null ? '' : ` ${cert.keyBits}`}`
  const carries = which === 'server' ? `, for ${[...cert.dnsNames, ...cert.ips].join(', ')}` : ''
  return `${key}, until ${day(cert.notAfter)}${carries}`
}
