/** The words in which instances and users say how they are. */

export const statuses = ['pending', 'provisioning', 'active', 'failed', 'deleting', 'deleted'] as const
/** Lifecycle of an instance or a user; only lifecycle.ts changes it. */
export type Status = (typeof statuses)[number]
export const healths = ['unknown', 'healthy', 'unhealthy', 'stopped'] as const
export type Health = (typeof healths)[number]
export const desiredStates = ['running', 'stopped'] as const
export type DesiredState = (typeof desiredStates)[number]
