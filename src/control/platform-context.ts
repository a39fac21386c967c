import type { Context } from './use-case.ts'

/** The platform acting by itself: its first start, repairs, ends of sessions. */
export const platformContext = (now: string): Context => ({
  actor: { name: 'platform', apiKeyId: null, tenantId: null, scopes: ['admin'] },
  requestId: null,
  ifMatch: null,
  now,
})
