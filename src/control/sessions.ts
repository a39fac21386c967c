/** Ends people's sessions when their time is up: one timer for the next end, none while there is no session. */
import { transition } from '../domain/lifecycle.ts'
import type { Noun } from '../domain/model/common.ts'
import type { User } from '../domain/model/user.ts'
import { insertAuditRow } from '../store/audit.ts'
import { findAnyInstance } from '../store/instances.ts'
import type { Store, Tx } from '../store/store.ts'
import { findUser, nextSessionEnd, sessionsDue, updateUser } from '../store/users.ts'
import type { Driver } from './driver/driver.ts'
import { openOperation } from './open-operation.ts'
import { platformContext } from './platform-context.ts'

/** setTimeout's own limit is 2^31 ms; no session is that long, a clock set back may make it seem so. */
const maxWaitMs = 3_600_000
const retryMs = 30_000

export type SessionEnds = {
  /** A session was made, or the platform started: the next end may be another one. */
  changed(): void
  stop(): void
}

export type SessionDeps = {
  store: Store
  driver: Pick<Driver, 'wake'>
  newId: (noun: Noun) => string
  now: () => string
  onError: (error: unknown) => void
}

export function makeSessionEnds(deps: SessionDeps): SessionEnds {
  let timer: NodeJS.Timeout | null = null
  let stopped = false

  async function endDue(): Promise<void> {
    const now = deps.now()
    const due = await deps.store.read((db) => sessionsDue(db, now))
    for (const user of due) {
      await deps.store.write((tx) => endSession(deps, tx, user, now))
      deps.driver.wake(user.instanceId)
    }
  }

  async function schedule(): Promise<void> {
    await endDue()
    const next = await deps.store.read((db) => nextSessionEnd(db))
    if (next === undefined) return
    const leftMs = Date.parse(next) - Date.parse(deps.now())
    // One that is due right after we ended what was due: its end failed, and is not tried in a circle.
    lookIn(leftMs < 0 ? retryMs : Math.min(leftMs + 1, maxWaitMs))
  }

  function lookIn(ms: number): void {
    if (timer) clearTimeout(timer)
    timer = stopped ? null : setTimeout(changed, ms)
  }

  function changed(): void {
    schedule().catch((error: unknown) => {
      deps.onError(error)
      // A full disk passes; without another look sessions would outlive their time for good.
      lookIn(retryMs)
    })
  }

  return {
    changed,
    stop() {
      stopped = true
      if (timer) clearTimeout(timer)
    },
  }
}

async function endSession(deps: SessionDeps, tx: Tx, due: User, now: string): Promise<void> {
  const user = await findUser(tx, due.id)
  const instance = await findAnyInstance(tx, due.instanceId)
  if (!user || !instance || user.status === 'deleting') return
  const generation = user.generation + 1
  await updateUser(tx, user.id, { status: transition(user.status, 'delete'), generation, updatedAt: now })
  const asked = { kind: 'session-end', userId: user.id, targetGeneration: generation, note: 'its time is up' } as const
  await openOperation(deps, tx, platformContext(now), instance, asked)
  await insertAuditRow(tx, {
    id: deps.newId('audit'),
    at: now,
    actor: 'platform',
    action: 'session.end',
    target: user.id,
    outcome: 'accepted',
    requestId: null,
    detail: null,
  })
}
