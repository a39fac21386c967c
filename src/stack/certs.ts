/** The certificates of a stack: an authority, the server's pair, a client's pair. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { CliError, exitCodes } from '../cli/exit-code.ts'
import { certificateFiles as names } from '../domain/stack/places.ts'
import { missingNames } from '../domain/stack/server-names.ts'
import type { StackSpec } from '../domain/stack/spec.ts'
import { subjectParts } from '../domain/stack/subject.ts'
import type { Authority, CertificateRequest, Issuer } from '../vault/authority.ts'
import { canonicalAddress, certificateFacts, isIssuedBy } from '../vault/certificates.ts'
import { VaultError } from '../vault/vault-error.ts'
import { keepText, modes, placed, readText, writeText } from './files.ts'
import { lockDir, lockNames } from './lock.ts'
import type { Report } from './report.ts'
import type { Owner } from './stack-place.ts'

export type CertificateOptions = {
  dir: string
  spec: StackSpec
  /** New server and client pairs under the authority that is there. */
  renew: boolean
  /** A new certificate for the authority's key, which stays: what it issued before still verifies. */
  renewCa: boolean
  /** Everything new: nothing that trusted the old authority connects any more. */
  force: boolean
  now: Date
  owner: Owner | undefined
  /** Called before keys are made, which takes seconds. */
  making: () => void
  /** The command with these flags, as a person types it from here. */
  command: (flags: string) => string
}

type Pair = { key: string | undefined; cert: string | undefined }
type Leaf = 'server' | 'client'

/** What each flag makes anew. */
const anew = { '--renew': 'new pairs', '--force': 'everything new' } as const
type Flag = keyof typeof anew

/** Extended key usages, by what a leaf is shown as. */
const usages: Record<Leaf, string> = { server: '1.3.6.1.5.5.7.3.1', client: '1.3.6.1.5.5.7.3.2' }

/**
 * Makes what is missing and keeps what fits. A key is never overwritten but by `renew` or `force`: one whose certificate
 * is missing, or is another key's (a run that was killed between the two), gets a certificate.
 * @throws CliError where what is there cannot go on, with the flag that mends it
 */
export async function ensureCertificates(options: CertificateOptions, report: Report): Promise<void> {
  const { dir } = options
  using _lock = lockDir(dir, lockNames.certs, modes.dir)
  const files = {
    ca: readPair(dir, names.caKey, names.caCert),
    server: readPair(dir, names.serverKey, names.serverCert),
    client: readPair(dir, names.clientKey, names.clientCert),
  }
  if (!options.force) checkAuthority(files.ca)
  const due = (['server', 'client'] as const).filter((leaf) => isDue(leaf, files[leaf], options))
  const needsCa = due.length > 0 || options.renewCa || options.force || files.ca.cert === undefined
  // Only here, where keys and certificates are made: the library takes a tenth of a second.
  const vault = needsCa ? await import('../vault/authority.ts') : undefined
  if (vault === undefined) {
    checkKept(files, options)
    keepCa(report, options, files.ca)
  } else {
    options.making()
    const [authority, ...keys] = await Promise.all([
      authorityFor(vault, files.ca, options),
      ...due.map((leaf) => leafKey(vault, files[leaf], options)),
    ])
    const issuer = await vault.makeIssuer(authority)
    const kept = { ...files, ca: { key: authority.keyPem, cert: authority.certPem } }
    checkKept(kept, options, due)
    writeCa(report, options, files.ca, authority)
    for (const [i, leaf] of due.entries()) await issueLeaf(report, options, issuer, leaf, files[leaf], String(keys[i]))
  }
  for (const leaf of ['server', 'client'] as const) if (!due.includes(leaf)) keepLeaf(report, options, leaf)
  noteNames(report, options)
}

const readPair = (dir: string, key: string, cert: string): Pair => ({
  key: readText(join(dir, key)),
  cert: readText(join(dir, cert)),
})

const failed = (message: string, next: string) => new CliError(exitCodes.failed, message, { next })

/** @param flag makes anew what cannot be read @throws CliError where a file is no certificate */
function readCertificate(pem: string, file: string, flag: Flag): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw failed(`${file} is not a certificate`, `Put the right file back, or make ${anew[flag]}: ${flag}`)
  }
}

/** Whether the two belong together. */
function fits({ key, cert }: Pair, file: string, flag: Flag): boolean {
  if (key === undefined || cert === undefined) return false
  try {
    return readCertificate(cert, file, flag).checkPrivateKey(createPrivateKey(key))
  } catch (error) {
    if (error instanceof CliError) throw error
    throw failed(
      `the key of ${file} cannot be read as a key`,
      `Put the right file back, or make ${anew[flag]}: ${flag}`,
    )
  }
}

/** A key beside a certificate of another authority would replace it, and cut off every client that trusts it. */
function checkAuthority(ca: Pair): void {
  if (ca.key === undefined || ca.cert === undefined || fits(ca, names.caCert, '--force')) return
  throw failed(
    `${names.caKey} is not the key of ${names.caCert}`,
    'Put the right one back, or make everything new: --force',
  )
}

const isDue = (leaf: Leaf, pair: Pair, { renew, force }: CertificateOptions): boolean =>
  renew || force || !fits(pair, certificateName(leaf), '--renew')

const certificateName = (leaf: Leaf) => (leaf === 'server' ? names.serverCert : names.clientCert)

async function authorityFor(
  vault: typeof import('../vault/authority.ts'),
  ca: Pair,
  { spec, force, renewCa, now }: CertificateOptions,
): Promise<Authority> {
  const fresh = { subject: subjectParts(spec.certificates.ca), notBefore: startOf(now), days: spec.certificates.days }
  if (force || (ca.key === undefined && ca.cert === undefined))
    return vault.createAuthority({ ...fresh, keyType: 'rsa4096' })
  if (ca.key === undefined)
    throw failed(
      `${names.caKey} is not here, and something has to be signed with it`,
      `Put it beside ${names.caCert} for this run, or make everything new: --force`,
    )
  if (ca.cert === undefined) return vault.createAuthority({ ...fresh, keyPem: ca.key })
  const authority = { keyPem: ca.key, certPem: ca.cert }
  return renewCa ? vault.renewAuthority(authority, fresh) : authority
}

/** Clients whose clock is a little behind accept it at once. */
const startOf = (now: Date) => new Date(now.getTime() - 5 * 60_000)

/** The key that goes on, or a new one. */
async function leafKey(
  vault: typeof import('../vault/authority.ts'),
  { key }: Pair,
  { renew, force }: CertificateOptions,
): Promise<string> {
  return key !== undefined && !renew && !force ? key : vault.newKeyPem('rsa2048')
}

/** What is kept must be usable: of this authority, and not at its end. */
function checkKept(files: Record<'ca' | Leaf, Pair>, { now }: CertificateOptions, due: readonly Leaf[] = []): void {
  const ca = readCertificate(files.ca.cert ?? '', names.caCert, '--force')
  if (ca.validToDate <= now)
    throw failed(
      `${names.caCert} expired on ${ca.validToDate.toISOString()}`,
      'Renew it and what it signed: --renew-ca --renew',
    )
  for (const leaf of ['server', 'client'] as const) {
    if (due.includes(leaf)) continue
    const file = certificateName(leaf)
    const certificate = readCertificate(files[leaf].cert ?? '', file, '--renew')
    if (!isIssuedBy(certificate, ca))
      throw failed(`${file} is not signed by ${names.caCert}`, 'Make new pairs: --renew')
    if (certificate.keyUsage?.includes(usages[leaf]) === false)
      throw failed(`${file} is no certificate of a ${leaf}`, 'Put the right file back, or make new pairs: --renew')
    if (certificate.validToDate <= now)
      throw failed(`${file} expired on ${certificate.validToDate.toISOString()}`, 'Make new pairs: --renew')
  }
}

function writeCa(report: Report, options: CertificateOptions, before: Pair, authority: Authority): void {
  const { dir, owner } = options
  const key = { path: join(dir, names.caKey), text: authority.keyPem, placement: { mode: modes.secret } }
  const cert = { path: join(dir, names.caCert), text: authority.certPem, placement: placed(modes.plain, owner) }
  for (const [{ path, text, placement }, present] of [
    [key, before.key],
    [cert, before.cert],
  ] as const)
    if (present === text) keepText(report, path, placement)
    else writeText(report, path, text, placement)
}

function keepCa(report: Report, { dir, owner }: CertificateOptions, ca: Pair): void {
  if (ca.key !== undefined) keepText(report, join(dir, names.caKey), { mode: modes.secret })
  keepText(report, join(dir, names.caCert), placed(modes.plain, owner))
}

function leafFiles(dir: string, leaf: Leaf): { key: string; cert: string } {
  const key = leaf === 'server' ? names.serverKey : names.clientKey
  return { key: join(dir, key), cert: join(dir, certificateName(leaf)) }
}

/** The key first: a certificate without its key would look like a pair that was lost. */
async function issueLeaf(
  report: Report,
  options: CertificateOptions,
  issuer: Issuer,
  leaf: Leaf,
  before: Pair,
  keyPem: string,
): Promise<void> {
  const { spec, dir, owner, now } = options
  const issued = await refusable(issuer.issue(requestFor(spec, leaf, keyPem, now)))
  const files = leafFiles(dir, leaf)
  if (before.key === keyPem) keepText(report, files.key, placed(modes.secret, owner))
  else writeText(report, files.key, keyPem, placed(modes.secret, owner))
  writeText(report, files.cert, issued.certPem, placed(modes.plain, owner))
  // An authority made in the same run ends some minutes earlier, since it begins earlier: that is no news.
  if (issued.notAfter.getTime() < now.getTime() + (spec.certificates.days - 1) * 86_400_000)
    report.notes.push(
      `${leaf}.crt ends with its authority on ${issued.notAfter.toISOString().slice(0, 10)}. For longer: ${options.command('--renew-ca --renew')}`,
    )
}

function requestFor(spec: StackSpec, leaf: Leaf, keyPem: string, now: Date): CertificateRequest {
  const { certificates } = spec
  const isServer = leaf === 'server'
  return {
    subject: subjectParts(certificates[leaf]),
    dnsNames: isServer ? certificates.names : [],
    ipAddresses: isServer ? certificates.addresses : [],
    usages: [leaf],
    keyPem,
    now,
    days: certificates.days,
  }
}

/** What the vault refuses is wrong in what was asked for. */
async function refusable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof VaultError) throw failed(error.message, 'Mend it in stack.yaml or on the command line.')
    throw error
  }
}

function keepLeaf(report: Report, { dir, owner }: CertificateOptions, leaf: Leaf): void {
  const files = leafFiles(dir, leaf)
  keepText(report, files.key, placed(modes.secret, owner))
  keepText(report, files.cert, placed(modes.plain, owner))
}

/** A server's certificate that lacks a name is kept, and clients that use the name would fail. */
function noteNames(report: Report, { dir, spec, command }: CertificateOptions): void {
  const facts = certificateFacts(readText(join(dir, names.serverCert)) ?? '')
  const { names: dnsNames, addresses } = spec.certificates
  const carried = { dns: facts.dnsNames, addresses: facts.ips }
  const missing = missingNames(carried, { dns: dnsNames, addresses: addresses.map(canonicalAddress) })
  if (missing.length > 0)
    report.notes.push(
      `${names.serverCert} does not carry ${missing.join(', ')}. To have it: ${command(`--renew${missing.map((name) => ` --san ${name}`).join('')}`)}`,
    )
}

/** Puts further names and addresses of a command line beside those of the spec. */
export function withSans(spec: StackSpec, sans: readonly string[]): StackSpec {
  const { certificates } = spec
  const isAddress = (text: string) => isIP(text) !== 0
  return {
    ...spec,
    certificates: {
      ...certificates,
      names: [...new Set([...certificates.names, ...sans.filter((san) => !isAddress(san))])],
      addresses: [...new Set([...certificates.addresses, ...sans.filter(isAddress)])],
    },
  }
}
