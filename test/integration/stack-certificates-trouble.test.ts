/** Certificates of a stack that cannot go on as they are: each case is told with what mends it, changes nothing, and is mended by that. */
import assert from 'node:assert/strict'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { defaultSpec } from '../../src/domain/stack/default-spec.ts'
import { createAuthority, makeIssuer } from '../../src/vault/authority.ts'
import { certificatesRun, changedSince, snapshot, unwritable } from '../support/stack.ts'
import { assertModes, fits, pem, useCertificates, verifies } from '../support/stack-certificates.ts'

const spec = defaultSpec()
const dayMs = 86_400_000
const { made, newDir, copy, refuses } = useCertificates(spec)

describe('what cannot go on', () => {
  /** A client's pair of some authority, put in the place of the set's own. */
  async function putClient(dir: string, authority: { certPem: string; keyPem: string }, now: Date): Promise<void> {
    const issuer = await makeIssuer(authority)
    const subject = [{ type: 'CN' as const, value: 'valkey-client' }]
    const request = { subject, dnsNames: [], ipAddresses: [], usages: ['client' as const], now, days: 1 }
    const { certPem, keyPem } = await issuer.issue(request)
    writeFileSync(join(dir, 'client.crt'), certPem)
    writeFileSync(join(dir, 'client.key'), keyPem)
  }

  test('an expired pair is told with the flag that mends it, and mended by it', async () => {
    const dir = copy()
    const own = { certPem: pem(dir, 'ca.crt'), keyPem: pem(dir, 'ca.key') }
    await putClient(dir, own, new Date(Date.now() - 3 * dayMs))
    await refuses(dir, {}, /^client\.crt expired on 2\d\d\d-/, /--renew/)
    await certificatesRun(dir, spec, { renew: true })
    fits(dir)
  })

  test('a pair of another authority is told, and mended', async () => {
    const dir = copy()
    const subject = [
      { type: 'CN' as const, value: 'Molis-Valkey-CA' },
      { type: 'O' as const, value: 'OdraLabs' },
    ]
    await putClient(dir, await createAuthority({ subject, notBefore: new Date(), days: 2 }), new Date())
    await refuses(dir, {}, /^client\.crt is not signed by ca\.crt/, /--renew/)
    await certificatesRun(dir, spec, { renew: true })
    fits(dir)
  })

  test('an authority at its end is told, and mended', async (t) => {
    const dir = copy()
    const now = new Date(Date.now() + 366 * dayMs)
    await refuses(dir, { now }, /^ca\.crt expired on /, /--renew-ca --renew/)
    await refuses(dir, { now, renew: true }, /expired on /, /./)
    await certificatesRun(dir, spec, { now, renewCa: true, renew: true })
    fits(dir)
    await certificatesRun(dir, spec, { renewCa: true, renew: true })
    await verifies(t, dir)
  })

  test('what is no certificate or key is told, and nothing is overwritten', async () => {
    for (const file of ['server.crt', 'client.key', 'ca.crt', 'server.key'])
      for (const text of ['', 'not PEM\n', pem(made, file).slice(0, 300)]) {
        const dir = copy()
        writeFileSync(join(dir, file), text)
        await refuses(dir, {}, new RegExp(file.replace(/key$/, '(crt|key)')), /Put the right file back/)
      }
  })

  test('a directory that cannot be written to leaves everything as it was', async () => {
    const dir = copy()
    rmSync(join(dir, 'server.crt'))
    await unwritable(dir, () => refuses(dir, {}, /cannot write .*: this user may not/, /run the same command again/))
    await certificatesRun(dir, spec)
    fits(dir)
  })
})

describe('killed between two files', () => {
  /** What a run leaves that is ended after each of its files, in their order. */
  const order = ['ca.key', 'ca.crt', 'server.key', 'server.crt', 'client.key', 'client.crt']

  test('a first run goes on where it was: what was written stays', async (t) => {
    for (const count of [2, 3, 4, 5]) {
      const dir = newDir()
      for (const file of order.slice(0, count)) cpSync(join(made, file), join(dir, file))
      writeFileSync(join(dir, 'server.crt.4194305.tmp'), 'half')
      const before = snapshot(dir)
      await certificatesRun(dir, spec)
      assert.deepEqual(changedSince(before, dir), order.slice(count).toSorted(), `after ${order[count - 1]}`)
      rmSync(join(dir, 'server.crt.4194305.tmp'))
      fits(dir)
      assertModes(dir)
      if (count === 3) await verifies(t, dir)
    }
  })

  test('a renewal goes on: a new key keeps its place and gets its certificate', async (t) => {
    const renewed = copy()
    await certificatesRun(renewed, spec, { renew: true })
    for (const count of [3, 4, 5]) {
      const dir = copy()
      for (const file of order.slice(2, count)) cpSync(join(renewed, file), join(dir, file))
      const key = pem(dir, 'server.key')
      await certificatesRun(dir, spec)
      assert.equal(pem(dir, 'server.key'), key)
      fits(dir)
      await verifies(t, dir)
    }
  })

  test('a run under --force is told to be half done, and goes on by what is said', async () => {
    const forced = copy()
    await certificatesRun(forced, spec, { force: true })
    const half = (count: number) => {
      const dir = copy()
      for (const file of order.slice(0, count)) cpSync(join(forced, file), join(dir, file))
      return dir
    }
    for (const count of [2, 3, 4]) {
      const dir = half(count)
      await refuses(dir, {}, /\.crt is not signed by ca\.crt/, /--renew/)
      await certificatesRun(dir, spec, { renew: true })
      assert.equal(pem(dir, 'ca.crt'), pem(forced, 'ca.crt'))
      fits(dir)
    }
    const last = half(5)
    await certificatesRun(last, spec)
    fits(last)
    const first = half(1)
    await certificatesRun(first, spec, { force: true })
    fits(first)
  })

  test('a ca.key that is not that of ca.crt is told, and no ca.crt is replaced for it', async () => {
    const forced = copy()
    await certificatesRun(forced, spec, { force: true })
    const dir = copy()
    cpSync(join(forced, 'ca.key'), join(dir, 'ca.key'))
    await refuses(dir, { renew: true }, /ca\.key/, /--force/)
    await refuses(dir, {}, /ca\.key/, /--force/)
  })
})
