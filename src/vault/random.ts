import { createHash, randomBytes, randomInt } from 'node:crypto'
import { GENERATED_PASSWORD_ALPHABET, GENERATED_PASSWORD_LENGTH } from '../domain/password-policy.ts'

const randomLetter = () => GENERATED_PASSWORD_ALPHABET[randomInt(GENERATED_PASSWORD_ALPHABET.length)]

/**
 * A generated password: 32 letters and digits (about 187 bits), at least one of each kind, none that looks like another.
 * Nothing in it needs quoting in a URL, a shell or a configuration file.
 */
export function randomPassword(): string {
  for (;;) {
    // randomInt rejects what would favour some characters: every character is equally likely.
    const password = Array.from({ length: GENERATED_PASSWORD_LENGTH }, randomLetter).join('')
    if (/[A-Za-z]/.test(password) && /[0-9]/.test(password)) return password
  }
}

/** A new API key: `vk_` and 43 URL-safe characters (256 bits). Store only its `sha256Hex`. */
export function randomApiKey(): string {
  return `vk_${randomBytes(32).toString('base64url')}`
}

/** SHA-256 in lower-case hex; text counts as its UTF-8 bytes. */
export function sha256Hex(input: string | Buffer): string {
  return createHash('sha256').update(input).digest('hex')
}
