/** A secret at rest. Both fields may be stored, logged and backed up: without the key they say nothing. */
export type Sealed = {
  /** The key-encryption key that wraps this secret's data key. Its own column, so that keys can rotate. */
  keyId: string
  /** Base64 of the versioned envelope. */
  blob: string
}

/** Seals and unseals secrets. Synchronous: one secret costs microseconds. */
export type Vault = {
  /**
   * @param context what the secret is bound to: its own id. A sealed secret moved to another id does not open.
   */
  seal(plain: string | Buffer, context: string): Sealed
  /**
   * @param context the same text that sealed it
   * @throws VaultError where the key is missing or another one, or anything of it was altered, moved or cut
   */
  unseal(sealed: Sealed, context: string): Buffer
  /**
   * The same secret under the current key; the very same object where it is under it already.
   * @throws VaultError as unseal does
   */
  rewrap(sealed: Sealed): Sealed
}
