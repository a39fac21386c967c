import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import type { Sealed } from '../domain/ports/vault.ts'
import { fileKeyProvider, type KeyProvider } from './key-provider.ts'
import { makeVault } from './vault.ts'
import { VaultError, type VaultErrorCode } from './vault-error.ts'

const dir = mkdtempSync(join(tmpdir(), 'valkeep-vault-'))
after(() => rmSync(dir, { recursive: true }))

let files = 0
const keysOf = (...lines: string[]): KeyProvider => {
  files += 1
  const path = join(dir, `key-${files}`)
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
  return fileKeyProvider({ path })
}
const line = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
const fails = (code: VaultErrorCode, run: () => unknown) =>
  assert.throws(run, (error) => error instanceof VaultError && error.code === code)

const vault = makeVault(keysOf(line('k1')))

test('what is sealed opens under its context, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string({ minLength: 1 }), (bytes, context) => {
      const sealed = vault.seal(Buffer.from(bytes), context)
      assert.equal(sealed.keyId, 'k1')
      assert.deepEqual(vault.unseal(sealed, context), Buffer.from(bytes))
    }),
  )
  assert.equal(vault.unseal(vault.seal('pässword', 'sec_1'), 'sec_1').toString(), 'pässword')
})

test('the plain text is not in the sealed one, and sealing twice gives two texts', () => {
  const plain = 'canary-canary-canary'
  const [one, two] = [vault.seal(plain, 'sec_1'), vault.seal(plain, 'sec_1')]
  assert.equal(Buffer.from(one.blob, 'base64').includes(plain), false)
  assert.notEqual(one.blob, two.blob)
})

test('another context does not open it', () => {
  const sealed = vault.seal('secret', 'sec_1')
  fails('not-authentic', () => vault.unseal(sealed, 'sec_2'))
  fails('not-authentic', () => vault.unseal(sealed, 'sec_1 '))
  assert.throws(() => vault.seal('secret', ''), TypeError)
})

test('every changed byte and every cut is refused', () => {
  const sealed = vault.seal('secret', 'sec_1')
  const bytes = Buffer.from(sealed.blob, 'base64')
  const refused = (blob: string) =>
    assert.throws(() => vault.unseal({ ...sealed, blob }, 'sec_1'), VaultError, `accepted ${blob}`)
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    refused(changed.toString('base64'))
    refused(bytes.subarray(0, at).toString('base64'))
  }
  refused(`${sealed.blob}AAAA`)
  refused(`${sealed.blob}\n`)
  refused(sealed.blob.replace(/^./, ' $&'))
  assert.equal(vault.unseal(sealed, 'sec_1').toString(), 'secret')
})

test('an envelope of another version is named as such', () => {
  const bytes = Buffer.from(vault.seal('secret', 'sec_1').blob, 'base64')
  bytes.writeUInt8(9, 0)
  assert.throws(() => vault.unseal({ keyId: 'k1', blob: bytes.toString('base64') }, 'sec_1'), /version 9/)
})

test('a wrong key is an error that names key ids and no material', () => {
  const other = line('other')
  const impostor = line('k1')
  const sealed = vault.seal('secret', 'sec_1')
  const check = (provider: KeyProvider, material: string) =>
    assert.throws(
      () => makeVault(provider).unseal(sealed, 'sec_1'),
      (error) => {
        assert.ok(error instanceof VaultError)
        assert.equal(error.code, 'wrong-key')
        assert.match(error.message, /k1/)
        assert.equal(error.message.includes(material.split(':')[1] ?? '?'), false)
        return true
      },
    )
  check(keysOf(other), other)
  check(keysOf(impostor), impostor)
})

test('keys rotate: the old one still opens, rewrap moves to the new one, and then the old one may go', () => {
  const [old, fresh] = [line('k-old'), line('k-new')]
  const before = makeVault(keysOf(old)).seal('secret', 'sec_1')
  const both = makeVault(keysOf(fresh, old))
  assert.equal(both.unseal(before, 'sec_1').toString(), 'secret')
  assert.equal(both.seal('x', 'sec_2').keyId, 'k-new')
  const moved = both.rewrap(before)
  assert.equal(moved.keyId, 'k-new')
  assert.equal(both.rewrap(moved), moved)
  const after = makeVault(keysOf(fresh))
  assert.equal(after.unseal(moved, 'sec_1').toString(), 'secret')
  fails('not-authentic', () => after.unseal(moved, 'sec_2'))
  fails('wrong-key', () => after.rewrap(before))
})

test('a wrapped data key does not open under another key id, nor in another secret', () => {
  const both = makeVault(keysOf(line('k1'), line('k2')))
  const sealed = both.seal('secret', 'sec_1')
  fails('wrong-key', () => both.unseal({ ...sealed, keyId: 'k2' }, 'sec_1'))
  const donor = Buffer.from(both.seal('other', 'sec_2').blob, 'base64')
  const spliced = Buffer.from(sealed.blob, 'base64')
  donor.copy(spliced, 0, 0, 3 + donor.readUInt16BE(1))
  const mixed: Sealed = { keyId: sealed.keyId, blob: spliced.toString('base64') }
  fails('not-authentic', () => both.unseal(mixed, 'sec_1'))
})
