import type { SecretRef } from '../server-plan.ts'

/** Unseals the secret behind a reference. The bytes are used and dropped, never kept, logged or put into an error. */
export type ReadSecret = (ref: SecretRef) => Promise<string>
