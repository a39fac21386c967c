/**
 * The certificates of a stack on disk: what is in them (the source's property 6 and more), that repeating keeps them and makes again what
 * is missing, and what `--renew`, `--renew-ca` and `--force` keep.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { withSans } from '../../src/stack/certs.ts'
import { finished } from '../support/cli-process.ts'
import { requirePart } from '../support/parts.ts'
import { certificatesRun, changedSince, snapshot } from '../support/stack.ts'
import {
  assertModes,
  certificate,
  certificateNames as files,
  fits,
  leaves,
  run,
  useCertificates,
  verifies,
} from '../support/stack-certificates.ts'

const entry = fileURLToPath(new URL('../../src/main/cli.ts', import.meta.url))
const spec = defaultSpec()
const dayMs = 86_400_000
const { made, newDir, copy, refuses } = useCertificates(spec)

describe('what is in the certificates', () => {
  test('subjects, sizes, days, names and serials', () => {
    const expected = {
      ca: ['Molis-Valkey-CA', 4096],
      server: ['valkey', 2048],
      client: ['valkey-client', 2048],
    } as const
    for (const [name, [cn, bits]] of Object.entries(expected)) {
      const own = certificate(made, name)
      assert.equal(own.subject, `CN=${cn}\nO=OdraLabs`)
      assert.equal(own.issuer, 'CN=Molis-Valkey-CA\nO=OdraLabs')
      assert.equal(own.publicKey.asymmetricKeyType, 'rsa')
      assert.equal(own.publicKey.asymmetricKeyDetails?.modulusLength, bits)
      assert.equal(own.validToDate.getTime() - own.validFromDate.getTime(), 365 * dayMs)
      assert.ok(own.validFromDate.getTime() <= Date.now())
      // An even number of digits, the first below 8: no minus sign in DER.
      assert.match(own.serialNumber, /^(?=[0-7])(?:[0-9A-F]{2}){8,20}$/)
    }
    const serials = ['ca', ...leaves].map((name) => certificate(made, name).serialNumber)
    assert.equal(new Set(serials).size, 3)
    const names = 'DNS:valkey, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1'
    assert.equal(certificate(made, 'server').subjectAltName, names)
    fits(made)
    assertModes(made)
  })

  test('X.509 v3, SHA-256, and usages of each kind alone', async (t) => {
    const openssl = requirePart(t, 'openssl')
    if (openssl === undefined) return
    const usages = {
      ca: [/CA:TRUE, pathlen:0/, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/],
      server: [
        /CA:FALSE/,
        /Key Usage: critical\s+Digital Signature, Key Encipherment\n/,
        /TLS Web Server Authentication\n/,
      ],
      client: [
        /CA:FALSE/,
        /Key Usage: critical\s+Digital Signature, Key Encipherment\n/,
        /TLS Web Client Authentication\n/,
      ],
    }
    for (const [name, expected] of Object.entries(usages)) {
      const { text } = await run(openssl, ['x509', '-in', join(made, `${name}.crt`), '-noout', '-text'])
      const always = [/Version: 3 /, /Signature Algorithm: sha256WithRSAEncryption/, /Basic Constraints: critical/]
      for (const part of [...always, /Subject Key Identifier/, ...expected]) assert.match(text, part, name)
      if (name !== 'ca') assert.match(text, /Authority Key Identifier/)
    }
    await verifies(t, made)
  })

  test('as the flags say: days, subjects, further names and addresses', async (t) => {
    const dir = newDir()
    const flags = [
      '--days',
      '30',
      '--san',
      'cache.example.com',
      '--san',
      '10.1.2.3',
      '--san',
      'fd00::5',
      '--san',
      'valkey',
    ]
    const subjects = ['--ca-subject', '/C=DE/O=A Company/CN=A CA', '--server-subject', '/CN=cache.example.com']
    const args = ['stack', 'certs', 'deep/er', ...flags, ...subjects, '--client-subject', '/CN=app/OU=ops@x', '--json']
    const env = { PATH: process.env['PATH'] ?? '', HOME: dir }
    const words = ['--disable-warning=ExperimentalWarning', entry, ...args]
    const { status, stdout, stderr } = await finished(spawn(process.execPath, words, { cwd: dir, env }))
    assert.equal(status, 0, stderr)
    const report = JSON.parse(stdout) as { files: { path: string; action: string }[] }
    assert.deepEqual(
      report.files.map(({ path }) => path).toSorted(),
      files.map((file) => `deep/er/${file}`),
    )
    const own = join(dir, 'deep', 'er')
    assert.equal(certificate(own, 'ca').subject, 'C=DE\nO=A Company\nCN=A CA')
    assert.equal(certificate(own, 'server').subject, 'CN=cache.example.com')
    assert.equal(certificate(own, 'client').subject, 'CN=app\nOU=ops@x')
    const names = 'DNS:valkey, DNS:localhost, DNS:cache.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1'
    const more = 'IP Address:10.1.2.3, IP Address:FD00:0:0:0:0:0:0:5'
    assert.equal(certificate(own, 'server').subjectAltName, `${names}, ${more}`)
    for (const name of ['ca', ...leaves]) {
      const { validToDate, validFromDate } = certificate(own, name)
      assert.equal(validToDate.getTime() - validFromDate.getTime(), 30 * dayMs)
    }
    assertModes(own)
    fits(own)
    await verifies(t, own)
  })
})

describe('repeated', () => {
  test('nothing changes, and everything is said to be kept', async () => {
    const dir = copy()
    const before = snapshot(dir)
    const report = await certificatesRun(dir, spec)
    assert.deepEqual(changedSince(before, dir), [])
    assert.deepEqual(new Set(report.files.map(({ action }) => action)), new Set(['kept']))
    assert.equal(report.files.length, 6)
    assert.deepEqual(report.notes, [])
  })

  test('property 6: modes are right under any umask, and are set right where they were changed', async () => {
    const before = process.umask(0)
    try {
      for (const mask of [0, 0o077, 0o777]) {
        process.umask(mask)
        const dir = newDir()
        // The authority's key alone, as after a kill: everything else is written by this run.
        cpSync(join(made, 'ca.key'), join(dir, 'ca.key'))
        await certificatesRun(dir, spec)
        assertModes(dir)
      }
    } finally {
      process.umask(before)
    }
    const dir = copy()
    for (const file of files) chmodSync(join(dir, file), 0o640)
    await certificatesRun(dir, spec)
    assertModes(dir)
  })

  const remade: Record<string, string[]> = {
    'ca.crt': ['ca.crt'],
    'server.crt': ['server.crt'],
    'server.key': ['server.crt', 'server.key'],
    'client.crt': ['client.crt'],
    'client.key': ['client.crt', 'client.key'],
  }
  for (const [file, expected] of Object.entries(remade))
    test(`${file} taken away is made again, with what depends on it, and the rest is kept`, async (t) => {
      const dir = copy()
      const before = snapshot(dir)
      rmSync(join(dir, file))
      const report = await certificatesRun(dir, spec)
      assert.deepEqual(changedSince(before, dir), expected)
      const wrote = report.files.filter(({ action }) => action === 'wrote').map(({ path }) => path.split('/').at(-1))
      assert.deepEqual(wrote.toSorted(), expected)
      fits(dir)
      assertModes(dir)
      await verifies(t, dir)
    })

  test('with ca.key kept elsewhere everything goes on, until something has to be signed', async () => {
    const dir = copy()
    rmSync(join(dir, 'ca.key'))
    const before = snapshot(dir)
    await certificatesRun(dir, spec)
    assert.deepEqual(changedSince(before, dir), [])
    await refuses(dir, { renew: true }, /^ca\.key is not here/, /beside ca\.crt.*--force/)
    await refuses(dir, { renewCa: true }, /^ca\.key is not here/, /--force/)
    rmSync(join(dir, 'server.crt'))
    await refuses(dir, {}, /^ca\.key is not here/, /--force/)
    assert.ok(!existsSync(join(dir, 'ca.key')))
  })

  test('a name that the kept certificate lacks is said, and --renew brings it', async () => {
    const dir = copy()
    const wider = withSans(spec, ['cache.example.com', '10.1.2.3'])
    const { notes } = await certificatesRun(dir, wider)
    assert.match(notes.join('\n'), /server\.crt does not carry cache\.example\.com, 10\.1\.2\.3\..*--renew/)
    assert.deepEqual((await certificatesRun(dir, wider, { renew: true })).notes, [])
    assert.match(certificate(dir, 'server').subjectAltName ?? '', /cache\.example\.com.*10\.1\.2\.3/)
  })
})

describe('renewed', () => {
  test('--renew makes both pairs anew and keeps the authority byte for byte', async (t) => {
    const dir = copy()
    const before = snapshot(dir)
    await certificatesRun(dir, spec, { renew: true })
    assert.deepEqual(changedSince(before, dir), ['client.crt', 'client.key', 'server.crt', 'server.key'])
    fits(dir)
    assertModes(dir)
    await verifies(t, dir)
    const serials = [made, dir].flatMap((one) => leaves.map((leaf) => certificate(one, leaf).serialNumber))
    assert.equal(new Set(serials).size, 4)
  })

  test('--renew-ca gives the authority a longer certificate for its key: what it signed verifies, under either one', async (t) => {
    const dir = copy()
    const before = snapshot(dir)
    const now = new Date(Date.now() + 100 * dayMs)
    await certificatesRun(dir, spec, { renewCa: true, now })
    assert.deepEqual(changedSince(before, dir), ['ca.crt'])
    const [old, renewed] = [certificate(made, 'ca'), certificate(dir, 'ca')]
    assert.equal(renewed.subject, old.subject)
    assert.notEqual(renewed.serialNumber, old.serialNumber)
    assert.equal(renewed.validToDate.getTime() - renewed.validFromDate.getTime(), 365 * dayMs)
    assert.ok(renewed.validToDate.getTime() > old.validToDate.getTime() + 99 * dayMs)
    fits(dir)

    await certificatesRun(dir, spec, { renewCa: true, renew: true })
    fits(dir)
    await verifies(t, dir)
    // A client that has the old ca.crt still, and one that has the new one and meets an old leaf.
    await verifies(t, dir, join(made, 'ca.crt'))
    await verifies(t, made, join(dir, 'ca.crt'))
  })

  test('a leaf lives no longer than its authority, and that is said', async () => {
    const dir = copy()
    const now = new Date(Date.now() + 300 * dayMs)
    const { notes } = await certificatesRun(dir, spec, { renew: true, now })
    for (const leaf of leaves) {
      assert.match(notes.join('\n'), new RegExp(`${leaf}\\.crt ends with its authority .*--renew-ca --renew`))
      assert.equal(certificate(dir, leaf).validTo, certificate(dir, 'ca').validTo)
    }
  })

  test('--force makes everything new', async () => {
    const dir = copy()
    const before = snapshot(dir)
    await certificatesRun(dir, spec, { force: true })
    assert.deepEqual(changedSince(before, dir), files)
    fits(dir)
    assertModes(dir)
    assert.ok(!certificate(made, 'server').verify(certificate(dir, 'ca').publicKey))
  })
})
