import { type CipherKey, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

/**
 * AES-256-GCM under a random nonce.
 * @returns nonce (12 bytes), tag (16 bytes), ciphertext (as long as `plain`)
 */
export function encrypt(key: CipherKey, plain: Buffer, aad: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(aad)
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), text])
}

/** The plain text of what `encrypt` returned; undefined where key, text or `aad` is another one. */
export function decrypt(key: CipherKey, box: Buffer, aad: Buffer): Buffer | undefined {
  if (box.length < nonceBytes + tagBytes) return undefined
  const decipher = createDecipheriv(algorithm, key, box.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(aad)
  decipher.setAuthTag(box.subarray(nonceBytes, nonceBytes + tagBytes))
  const plain = decipher.update(box.subarray(nonceBytes + tagBytes))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch {
    return undefined
  } finally {
    plain.fill(0)
  }
}
