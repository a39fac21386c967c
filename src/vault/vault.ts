import { randomBytes } from 'node:crypto'
import type { Sealed, Vault } from '../domain/ports/vault.ts'
import { decrypt, encrypt } from './aes-gcm.ts'
import type { KeyProvider } from './key-provider.ts'
import { VaultError } from './vault-error.ts'

/** Envelope: version (1 byte), length of the wrapped data key (2 bytes, big endian), wrapped data key, box of aes-gcm.ts. */
const version = 1
const headerBytes = 3
const dataKeyBytes = 32

/**
 * The vault over a key provider: AES-256-GCM with a fresh data key for every secret, the data key wrapped by the
 * provider, the context authenticated. Rotating the provider's key rewraps data keys and touches no ciphertext.
 */
export function makeVault(keys: KeyProvider): Vault {
  return {
    seal(plain, context) {
      const dataKey = randomBytes(dataKeyBytes)
      const { keyId, wrapped } = keys.wrap(dataKey)
      const box = encrypt(dataKey, typeof plain === 'string' ? Buffer.from(plain) : plain, contextAad(context))
      dataKey.fill(0)
      return { keyId, blob: envelope(wrapped, box) }
    },
    unseal(sealed, context) {
      const { wrapped, box } = openEnvelope(sealed)
      const dataKey = unwrapped(keys, sealed.keyId, wrapped)
      const plain = decrypt(dataKey, box, contextAad(context))
      dataKey.fill(0)
      if (plain) return plain
      throw new VaultError(
        'not-authentic',
        `The secret of ${JSON.stringify(context)} was altered or belongs to another id.`,
      )
    },
    rewrap(sealed) {
      if (sealed.keyId === keys.currentKeyId) return sealed
      const { wrapped, box } = openEnvelope(sealed)
      const dataKey = unwrapped(keys, sealed.keyId, wrapped)
      const next = keys.wrap(dataKey)
      dataKey.fill(0)
      return { keyId: next.keyId, blob: envelope(next.wrapped, box) }
    },
  }
}

function contextAad(context: string): Buffer {
  if (context === '') throw new TypeError('a secret is bound to its id: the context cannot be empty')
  return Buffer.from(`valkeep secret v${version}\0${context}`)
}

function unwrapped(keys: KeyProvider, keyId: string, wrapped: Buffer): Buffer {
  const dataKey = keys.unwrap(keyId, wrapped)
  if (dataKey.length === dataKeyBytes) return dataKey
  throw new VaultError('malformed', `A data key under key ${JSON.stringify(keyId)} has the wrong length.`)
}

function envelope(wrapped: Buffer, box: Buffer): string {
  const header = Buffer.alloc(headerBytes)
  header.writeUInt8(version, 0)
  header.writeUInt16BE(wrapped.length, 1)
  return Buffer.concat([header, wrapped, box]).toString('base64')
}

function openEnvelope(sealed: Sealed): { wrapped: Buffer; box: Buffer } {
  const bytes = Buffer.from(sealed.blob, 'base64')
  // Buffer.from skips what is not base64: only the exact text that was written counts.
  if (bytes.length <= headerBytes || bytes.toString('base64') !== sealed.blob) {
    throw new VaultError('malformed', 'A sealed secret is cut or is not an envelope.')
  }
  const found = bytes.readUInt8(0)
  if (found !== version) {
    throw new VaultError(
      'malformed',
      `A sealed secret has envelope version ${found}; this release reads version ${version}.`,
    )
  }
  const boxAt = headerBytes + bytes.readUInt16BE(1)
  if (boxAt >= bytes.length) throw new VaultError('malformed', 'A sealed secret is cut.')
  return { wrapped: bytes.subarray(headerBytes, boxAt), box: bytes.subarray(boxAt) }
}
