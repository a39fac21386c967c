/**
 * Why the vault refuses. Codes are stable; messages are for the operator, name paths and key ids,
 * and never carry key material or any part of a secret.
 */
export type VaultErrorCode =
  /** The key file is not there, and may not be made because secrets sealed with it exist. */
  | 'key-file-missing'
  /** Others may read or replace the key file. */
  | 'key-file-unsafe'
  /** The key file cannot be read, or is not in its format. */
  | 'key-file-unusable'
  /** The key that a secret names is not held, or does not open it. */
  | 'wrong-key'
  /** The secret was altered, or belongs to another id. */
  | 'not-authentic'
  /** The envelope is cut, of an unknown version, or not an envelope. */
  | 'malformed'
  /** A certificate or an authority's key is not what it should be. */
  | 'certificate'

export class VaultError extends Error {
  readonly code: VaultErrorCode
  override readonly name = 'VaultError'

  constructor(code: VaultErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
