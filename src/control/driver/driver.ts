/** What the rest of the platform knows of a driver. */

export type Driver = {
  /** The instance has something open, or may have. Returns at once. */
  wake(instanceId: string): void
  /**
   * Looks whether what runs is what was asked for, and repairs what is not, as an operation.
   * @param reason why there is a doubt, kept as the operation's note; null: a routine look
   */
  check(instanceId: string, reason: string | null): void
  /** Resolves once the operation is neither pending nor running, after timeoutMs, or when `signal` aborts. */
  settled(operationId: string, timeoutMs: number, signal?: AbortSignal): Promise<void>
}
