/** scripts/generate-valkey-certs.sh of a stack, under every shell and two generations of OpenSSL: property 6 of the source, and renewal. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { after, before, type TestContext, test as anyTest } from 'node:test'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { certificateFiles, scriptFiles } from '../../src/domain/stack/places.ts'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { partsDir, requirePart } from '../support/parts.ts'
import {
  ended,
  isRoot,
  killedAtRename,
  makeScriptRoom,
  onPath,
  type ScriptRoom,
  snapshot,
  testEachShell,
} from '../support/stack-scripts.ts'

const script = scriptFiles.certs
const spec = defaultSpec()
const DAY = 86_400_000
const keys = ['ca.key', 'server.key', 'client.key']
const certificates = ['ca.crt', 'server.crt', 'client.crt']
const names = [...keys, ...certificates]
const restart = 'Valkey reads these only at its start: docker compose -f deploy/docker-compose.yml restart valkey'

const read = (dir: string, file: string) => readFileSync(join(dir, file), 'utf8')
const certificate = (dir: string, name: string) => new X509Certificate(read(dir, `${name}.crt`))
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8' })

/** Which files are other than they were. */
function changedIn(dir: string, earlier: Record<string, { text: string }>): string[] {
  return names.filter((name) => read(dir, name) !== earlier[name]?.text)
}

/** That OpenSSL takes both leaves in their use at its strictest, and each belongs to its key. */
function assertChain(dir: string): void {
  for (const name of ['server', 'client']) {
    const purpose = ['-purpose', `ssl${name}`, '-x509_strict', '-CAfile', join(dir, 'ca.crt')]
    assert.match(openssl('verify', ...purpose, join(dir, `${name}.crt`)), /: OK\n$/)
    const publicOf = openssl('pkey', '-in', join(dir, `${name}.key`), '-pubout')
    assert.equal(openssl('x509', '-in', join(dir, `${name}.crt`), '-noout', '-pubkey'), publicOf)
    assert.ok(certificate(dir, name).validToDate <= certificate(dir, 'ca').validToDate, `${name} ends with its CA`)
  }
  assert.deepEqual(readdirSync(dir).sort(), names.toSorted())
}

/** As test and testEachShell, where openssl is here. */
function test(name: string, body: (t: TestContext) => void): void {
  void anyTest(name, (t) => (requirePart(t, 'openssl') === undefined ? undefined : body(t)))
}
const forEachShell: typeof testEachShell = (name, body) =>
  testEachShell(name, (room, t) => (requirePart(t, 'openssl') === undefined ? undefined : body(room, t)))

const madeIn = makeScriptRoom({ after })
/** A set of certificates that every test may copy: an RSA key of 4096 bits takes seconds. */
const base = join(madeIn.dir, 'base')
before(() => {
  if (onPath('openssl') !== undefined) ended(madeIn.run(script, [base]), 0)
})

function copyOfBase({ dir }: ScriptRoom, name: string): string {
  cpSync(base, join(dir, name), { recursive: true })
  return join(dir, name)
}

const serials = new Set<string>()

forEachShell(
  'a new authority and two pairs, as the model describes them, and a second run that touches nothing',
  (room) => {
    const dir = join(room.dir, '-odd d$ir')
    const sans = [
      '--san',
      '*.example.org',
      '--san',
      '10.1.2.3',
      '--san',
      'fe80::1',
      '--san',
      'valkey',
      '--san',
      '127.0.0.1',
    ]
    assert.deepEqual(
      ended(room.run(script, [...sans, '--', '-odd d$ir']), 0).out,
      names.map((name) => `wrote ${name}`),
    )
    assertChain(dir)
    assert.equal(statSync(dir).mode & 0o7777, 0o755)
    for (const name of ['ca', 'server', 'client'] as const) assertCertificate(dir, name)
    const server = certificate(dir, 'server')
    const alternatives = openssl('x509', '-in', join(dir, 'server.crt'), '-noout', '-ext', 'subjectAltName').split(
      '\n',
    )[1]
    assert.equal(
      alternatives?.trim(),
      'DNS:valkey, DNS:localhost, DNS:*.example.org, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:10.1.2.3, IP Address:FE80:0:0:0:0:0:0:1',
    )
    assert.equal(server.checkHost('a.example.org'), '*.example.org')
    assert.equal(server.checkIP('::1'), '::1')
    const files = snapshot(dir)
    for (const [name, { mode, uid, gid }] of Object.entries(files)) {
      assert.equal(mode, name.endsWith('.key') ? '600' : '644', name)
      if (isRoot) assert.equal(`${uid}:${gid}`, name === certificateFiles.caKey ? '0:0' : spec.service.user, name)
    }
    const again = ended(room.run(script, [...sans, '--', '-odd d$ir']), 0)
    assert.deepEqual(again, { out: names.map((name) => `kept ${name}`), err: '' })
    assert.deepEqual(snapshot(dir), files)
  },
)

function assertCertificate(dir: string, name: 'ca' | 'server' | 'client'): void {
  const found = certificate(dir, name)
  assert.equal(`/${found.subject.replaceAll('\n', '/')}`, spec.certificates[name])
  assert.equal(`/${found.issuer.replaceAll('\n', '/')}`, spec.certificates.ca)
  assert.equal(found.publicKey.asymmetricKeyDetails?.modulusLength, name === 'ca' ? 4096 : 2048)
  assert.match(found.serialNumber, /^4[0-9A-F]{31}$/, 'positive, 16 bytes')
  assert.ok(!serials.has(found.serialNumber), 'no serial comes twice')
  serials.add(found.serialNumber)
  const lifetime = (found.validToDate.getTime() - found.validFromDate.getTime()) / DAY
  assert.ok(lifetime > spec.certificates.days - 0.01 && lifetime <= spec.certificates.days, `${name}: ${lifetime} days`)
  const text = openssl('x509', '-in', join(dir, `${name}.crt`), '-noout', '-text')
  const extensions = /X509v3 extensions:\n([^]*?)\n {4}Signature/.exec(text)?.[1]?.replace(/^ +/gm, '').split('\n')
  const critical = extensions?.flatMap((line, at) => (line.endsWith(': critical') ? [extensions[at + 1]] : []))
  const titles = extensions?.filter((line) => line.startsWith('X509v3 ')).map((line) => line.slice(7).split(':')[0])
  assert.match(text, /Signature Algorithm: sha256WithRSAEncryption/)
  if (name === 'ca') {
    assert.deepEqual(critical, ['CA:TRUE, pathlen:0', 'Certificate Sign, CRL Sign'])
    assert.deepEqual(titles, ['Basic Constraints', 'Key Usage', 'Subject Key Identifier'])
    return
  }
  assert.deepEqual(critical, ['CA:FALSE', 'Digital Signature, Key Encipherment'])
  const ids = ['Subject Key Identifier', 'Authority Key Identifier']
  const alternatives = name === 'server' ? ['Subject Alternative Name'] : []
  assert.deepEqual(titles, ['Basic Constraints', 'Key Usage', 'Extended Key Usage', ...ids, ...alternatives])
  assert.deepEqual(found.keyUsage, [name === 'server' ? '1.3.6.1.5.5.7.3.1' : '1.3.6.1.5.5.7.3.2'])
}

forEachShell('--renew makes new pairs, --renew-ca a new certificate of the kept key, --days what is asked', (room) => {
  const dir = copyOfBase(room, 'c')
  const first = snapshot(dir)
  const renewed = ended(room.run(script, [dir, '--renew', '--days', '700']), 0)
  assert.deepEqual(renewed.out, [
    ...['kept ca.key', 'wrote server.key', 'wrote client.key'],
    ...['kept ca.crt', 'wrote server.crt', 'wrote client.crt', restart],
  ])
  assert.match(renewed.err, /server\.crt ends with its authority on .* --renew-ca --renew/)
  assert.deepEqual(
    changedIn(dir, first),
    names.filter((name) => !name.startsWith('ca.')),
  )
  assertChain(dir)

  const second = snapshot(dir)
  const resigned = ended(room.run(script, ['--renew-ca', '--days', '700', dir]), 0)
  assert.equal(resigned.out.at(-1), restart)
  assert.deepEqual(changedIn(dir, second), ['ca.crt'])
  assertChain(dir)
  const ends = (name: string) => Math.round((certificate(dir, name).validToDate.getTime() - Date.now()) / DAY)
  assert.deepEqual([ends('ca'), ends('server')], [700, 365])
  ended(room.run(script, ['--renew', '--days', '20', dir]), 0)
  assert.deepEqual([ends('ca'), ends('server'), ends('client')], [700, 20, 20])
  assertChain(dir)
})

forEachShell('a key whose certificate is missing or another’s gets one; no key is overwritten', (room) => {
  const dir = copyOfBase(room, 'c')
  const first = snapshot(dir)
  rmSync(join(dir, 'server.crt'))
  writeFileSync(join(dir, 'client.crt'), first['ca.crt']?.text ?? '')
  const { out } = ended(room.run(script, [dir]), 0)
  const wrote = out.filter((line) => line.startsWith('wrote ')).map((line) => line.slice('wrote '.length))
  assert.deepEqual(wrote, ['server.crt', 'client.crt'])
  assert.deepEqual(changedIn(dir, first), ['server.crt', 'client.crt'])
  assertChain(dir)
  // Only a lost key is a new key.
  rmSync(join(dir, 'server.key'))
  ended(room.run(script, [dir]), 0)
  assert.deepEqual(changedIn(dir, first), ['server.key', 'server.crt', 'client.crt'])
  assertChain(dir)
  // A name that the certificate lacks is told, and mended by --renew.
  assert.match(
    ended(room.run(script, [dir, '--san', 'more', '--san', '::2']), 0).err,
    /server\.crt does not carry more ::2; to have it: --renew/,
  )
  assert.equal(ended(room.run(script, [dir, '--san', 'more', '--san', '::2', '--renew']), 0).err, '')
  assert.equal(certificate(dir, 'server').checkHost('more'), 'more')
})

forEachShell('ca.key may be elsewhere as long as nothing has to be signed', (room) => {
  const dir = copyOfBase(room, 'c')
  rmSync(join(dir, 'ca.key'))
  const rest = names.filter((name) => name !== 'ca.key')
  assert.deepEqual(
    ended(room.run(script, [dir]), 0).out,
    rest.map((name) => `kept ${name}`),
  )
  const before = snapshot(dir)
  for (const flag of ['--renew', '--renew-ca'])
    assert.match(
      ended(room.run(script, [dir, flag]), 1).err,
      /ca\.key is not here, and .*\.crt has to be signed: put it beside ca\.crt/,
    )
  assert.deepEqual(snapshot(dir), before)
})

forEachShell(
  'what is foreign, expired or no certificate is refused by name, with the flag that mends it, and stays as it is',
  async (room) => {
    const past = new Date(Date.now() - 400 * DAY)
    const subject = [{ type: 'CN' as const, value: 'Elsewhere' }]
    const elsewhere = await createAuthority({ subject, notBefore: past, days: 3650, keyType: 'p256' })
    const ended400 = await createAuthority({ subject, notBefore: past, days: 300, keyType: 'p256' })
    const issuer = await makeIssuer(elsewhere)
    const leaf = (days: number) =>
      issuer.issue({ subject, dnsNames: ['valkey'], ipAddresses: [], usages: ['server'], now: past, days })
    const [foreign, expired] = await Promise.all([leaf(3000), leaf(30)])
    const pair = (name: string, { keyPem, certPem }: { keyPem: string; certPem: string }) => ({
      [`${name}.key`]: keyPem,
      [`${name}.crt`]: certPem,
    })
    const cases: [files: Record<string, string>, message: RegExp][] = [
      [pair('server', foreign), /server\.crt does not fit ca\.crt \(unable to get local issuer certificate\): --renew/],
      [
        { ...pair('ca', elsewhere), ...pair('server', expired) },
        /server\.crt expired on .* GMT: --renew makes new pairs/,
      ],
      [pair('ca', ended400), /ca\.crt expired on .* GMT: --renew-ca --renew signs it again/],
      [{ 'server.key': 'no key\n' }, /server\.key is no key without a passphrase: .*; --renew makes a new one/],
      [{ 'client.crt': 'nothing\n' }, /client\.crt is no certificate: .*; --renew makes a new one/],
      [{ 'ca.crt': 'nothing\n' }, /ca\.crt is no certificate: .*; --force makes a new one/],
      [pair('client', foreign), /client\.crt does not fit ca\.crt/],
    ]
    for (const [index, [files, message]] of cases.entries()) {
      const dir = copyOfBase(room, `c${index}`)
      for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
      const before = snapshot(dir)
      const { err } = ended(room.run(script, [dir]), 1)
      assert.match(err, message)
      assert.deepEqual(snapshot(dir), before, 'nothing was written')
      const flags = /--force/.test(err) ? [] : (err.match(/--renew(-ca)?/g) ?? [])
      if (flags.length === 0 || !room.takesTurn(index)) continue
      ended(room.run(script, [dir, ...flags]), 0)
      assertChain(dir)
    }
    mkdirSync(join(room.dir, 'd', 'server.crt'), { recursive: true })
    assert.match(ended(room.run(script, ['d']), 1).err, /d\/server\.crt is a directory: remove it/)
  },
)

forEachShell(
  'an authority made by valkeep itself is renewed with its key identifier: what it signed still verifies',
  async (room) => {
    const dir = join(room.dir, 'c')
    const subject = [{ type: 'CN' as const, value: 'Molis-Valkey-CA' }]
    const authority = await createAuthority({
      subject,
      notBefore: new Date(Date.now() - DAY),
      days: 10,
      keyType: 'rsa2048',
    })
    mkdirSync(dir)
    writeFileSync(join(dir, 'ca.key'), authority.keyPem)
    writeFileSync(join(dir, 'ca.crt'), authority.certPem)
    assert.match(ended(room.run(script, [dir]), 0).err, /server\.crt ends with its authority/)
    assertChain(dir)
    const before = snapshot(dir)
    ended(room.run(script, [dir, '--renew-ca']), 0)
    assert.deepEqual(changedIn(dir, before), ['ca.crt'])
    assertChain(dir)
  },
)

test('--force makes everything new, and is finished by itself where it was killed before any of its renames', (t) => {
  const room = makeScriptRoom(t)
  const dir = copyOfBase(room, 'c')
  const before = snapshot(dir)
  const at = 1 + (Date.now() % names.length)
  t.diagnostic(`killed before rename ${at}`)
  assert.equal(room.run(script, [dir, '--force'], { env: { PATH: killedAtRename(dir, at) } }).code, null)
  ended(room.run(script, [dir, '--force']), 0)
  assert.deepEqual(changedIn(dir, before), names)
  assertChain(dir)
})

forEachShell('--renew is finished by the next run where it was killed before any of its renames', (room) => {
  for (const nth of [1, 2, 3, 4]) {
    if (!room.takesTurn(nth)) continue
    const dir = copyOfBase(room, `c${nth}`)
    assert.equal(room.run(script, [dir, '--renew'], { env: { PATH: killedAtRename(dir, nth) } }).code, null)
    assert.equal(statSync(join(dir, '.new.key')).mode & 0o777, 0o700, 'what it leaves behind is for its owner alone')
    ended(room.run(script, [dir]), 0)
    assertChain(dir)
  }
})

forEachShell('a wrong command line ends with 2 and makes nothing', (room) => {
  const wrong = [
    ...[['--nosuch'], ['a', 'b'], [''], ['--days'], ['--san'], ['--force', '--renew', 'a'], ['--force', '--renew-ca']],
    ...['', '0', '-1', '01', '3651', '10000', '1e2', '1 ', '9'.repeat(30)].map((days) => ['--days', days]),
    ...[
      '',
      ' ',
      'a b',
      'a,b',
      '1.2.3',
      '256.1.1.1',
      '01.2.3.4',
      ':',
      ':::',
      '1:2',
      'g::1',
      '::1%eth0',
      '1:2:3:4:5:6:7:8:9',
    ].map((san) => ['--san', san]),
    ...['-a', 'a-', '.a', 'a.', 'a..b', '*', 'a.*', '*.*', '$(id)', 'a\nb', "a'b", 'ä', 'a'.repeat(64)].map((san) => [
      '--san',
      san,
    ]),
  ]
  for (const args of wrong) assert.match(ended(room.run(script, args), 2).err, /--help tells more\n$/, args.join(' '))
  assert.match(ended(room.run(script, ['--help']), 0).out.join('\n'), /^Usage: generate-valkey-certs\.sh/)
  assert.deepEqual(readdirSync(room.dir), [])
})

test('OpenSSL 1.1.1 makes the same', (t) => {
  const bin = join(partsDir(), 'openssl-1.1', 'bin')
  if (!existsSync(bin)) return t.skip('OpenSSL 1.1.1 is not here; sh scripts/setup.sh dev brings it')
  const room = makeScriptRoom(t)
  const env = { PATH: `${bin}${delimiter}${process.env['PATH']}` }
  ended(room.run(script, ['c'], { env }), 0)
  const dir = join(room.dir, 'c')
  assertChain(dir)
  for (const name of ['ca', 'server', 'client'] as const) assertCertificate(dir, name)
  assert.deepEqual(ended(room.run(script, ['c'], { env }), 0), { out: names.map((name) => `kept ${name}`), err: '' })
  // Each continues what the other began.
  ended(room.run(script, ['c', '--renew-ca', '--renew']), 0)
  assertChain(dir)
  ended(room.run(script, ['c', '--renew-ca', '--days', '100'], { env }), 0)
  ended(room.run(script, ['c', '--renew'], { env }), 0)
  assertChain(dir)
})
