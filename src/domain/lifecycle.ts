/** The only place where a status may change. */
import type { Status } from './model/status.ts'

/**
 * What can happen to an instance or a user.
 * - `begin`: a driver picked up a change to it
 * - `converge`: everything asked for is served
 * - `give-up`: attempts are used up, or a person cancelled
 * - `delete`: a person asked for its end; final
 * - `vanish`: nothing of it is left
 */
export const lifecycleEvents = ['begin', 'converge', 'give-up', 'delete', 'vanish'] as const
export type LifecycleEvent = (typeof lifecycleEvents)[number]

const table: Record<Status, Partial<Record<LifecycleEvent, Status>>> = {
  pending: { begin: 'provisioning', 'give-up': 'failed', delete: 'deleting' },
  provisioning: { begin: 'provisioning', converge: 'active', 'give-up': 'failed', delete: 'deleting' },
  active: { begin: 'provisioning', delete: 'deleting' },
  failed: { begin: 'provisioning', delete: 'deleting' },
  deleting: { begin: 'deleting', vanish: 'deleted', 'give-up': 'failed' },
  deleted: {},
}

/** The status after `event`, or undefined where the event is not possible. */
export const nextStatus = (from: Status, event: LifecycleEvent): Status | undefined => table[from][event]

/** The status after `event`. @throws where the event is not possible: a bug in the caller. */
export function transition(from: Status, event: LifecycleEvent): Status {
  const to = nextStatus(from, event)
  if (to === undefined) throw new Error(`no way from ${from} by ${event}`)
  return to
}
