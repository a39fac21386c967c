import type { Selectable } from 'kysely'
import type { Timestamp } from '../domain/model/common.ts'
import type { Status } from '../domain/model/status.ts'
import type { User } from '../domain/model/user.ts'
import { type Listed, listed, type Page, pageStart, rowLimit } from './page.ts'
import { fromRow, toRow } from './row.ts'
import type { Database } from './schema.ts'
import type { Tx } from './store.ts'

/** What changes, and when. */
export type UserPatch = Partial<Omit<User, 'id' | 'instanceId' | 'createdAt' | 'revision'>> & Pick<User, 'updatedAt'>

const list = 'users'

const toUser = (row: Selectable<Database['users']>): User => ({
  ...fromRow(row),
  privileges: JSON.parse(row.privileges) as string[],
  kind: row.kind as User['kind'],
  held: row.held === 1,
  status: row.status as Status,
})

/** @throws a unique violation where the instance has a user of that name */
export async function insertUser(tx: Tx, user: User): Promise<void> {
  await tx.insertInto('users').values(toRow(user)).execute()
}

/** Not a deleted one. */
export async function findUser(tx: Tx, id: string): Promise<User | undefined> {
  const row = await tx
    .selectFrom('users')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row && toUser(row)
}

/** Not a deleted one; of either kind. */
export async function findUserByName(tx: Tx, instanceId: string, username: string): Promise<User | undefined> {
  const row = await tx
    .selectFrom('users')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where('username', '=', username)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row && toUser(row)
}

/** The tenant's users of an instance, oldest first; no sessions, no deleted ones. @throws BadCursor */
export async function listUsers(tx: Tx, instanceId: string, page: Page): Promise<Listed<User>> {
  const rows = await tx
    .selectFrom('users')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where('kind', '=', 'tenant')
    .where('deleted_at', 'is', null)
    .where('id', '>', pageStart(list, page))
    .orderBy('id')
    .limit(rowLimit(page))
    .execute()
  return listed(list, page, rows.map(toUser))
}

/** All users of an instance by name, sessions too; no deleted ones. */
export async function usersOfInstance(tx: Tx, instanceId: string): Promise<User[]> {
  const rows = await tx
    .selectFrom('users')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .where('deleted_at', 'is', null)
    .orderBy('username')
    .execute()
  return rows.map(toUser)
}

/** How many users an instance has, sessions too; deleted ones aside. */
export async function countUsers(tx: Tx, instanceId: string): Promise<number> {
  const { users } = await tx
    .selectFrom('users')
    .select((e) => e.fn.countAll<number>().as('users'))
    .where('instance_id', '=', instanceId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow()
  return users
}

/** Changes what `patch` carries, and the revision. @returns the user as it is now. @throws where it is not there */
export async function updateUser(tx: Tx, id: string, patch: UserPatch): Promise<User> {
  const row = await tx
    .updateTable('users')
    .set((e) => ({ ...toRow(patch), revision: e('revision', '+', 1) }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) throw new Error(`no user ${id}`)
  return toUser(row)
}

/** Sessions whose time is up and whose end nobody has asked for yet, the longest overdue first. */
export async function sessionsDue(tx: Tx, now: Timestamp): Promise<User[]> {
  const rows = await tx
    .selectFrom('users')
    .selectAll()
    .where('expires_at', '<=', now)
    .where('deleted_at', 'is', null)
    .where('status', '!=', 'deleting')
    .orderBy('expires_at')
    .execute()
  return rows.map(toUser)
}

/** When the next session ends whose end nobody has asked for yet. */
export async function nextSessionEnd(tx: Tx): Promise<Timestamp | undefined> {
  const row = await tx
    .selectFrom('users')
    .select('expires_at')
    .where('expires_at', '>', '')
    .where('deleted_at', 'is', null)
    .where('status', '!=', 'deleting')
    .orderBy('expires_at')
    .limit(1)
    .executeTakeFirst()
  return row?.expires_at ?? undefined
}
