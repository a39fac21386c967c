import type { AclUser } from '../../domain/acl/acl-user.ts'
import { setUserArgs, UnsafeAclUser } from '../../domain/acl/render.ts'
import type { Step } from '../../domain/plan/step.ts'
import { StepError } from '../../domain/plan/step-error.ts'
import type { ValkeyConnection } from '../../valkey/client.ts'
import { aclDelUser, aclList, aclSave, aclSetUser } from '../../valkey/commands.ts'
import { ValkeyReplyError } from '../../valkey/errors.ts'
import { redactReply } from '../../valkey/redact.ts'
import { mustEndSessions, readUsers } from '../acl-users.ts'
import { type AgentDeps, connectAdmin } from '../admin.ts'

/**
 * Makes each user exactly this in one command, deletes others, and saves once. Safe to repeat; safe without users, then
 * it only saves. Needs a server that answers. Killed before the save: file and server differ, which the next observation
 * shows.
 * @throws StepError `users-refused` naming those that could not be applied; all others are applied and saved
 */
export async function setUsers(deps: AgentDeps, step: Step & { kind: 'set-users' }): Promise<void> {
  await using connection = await connectAdmin(deps, step.server)
  const before = new Map(readUsers(await aclList(connection)).map((user) => [user.name, user]))
  const refused: Record<string, string> = {}
  const alone = async (name: string, change: Promise<void>) => {
    try {
      await change
    } catch (error) {
      if (!(error instanceof ValkeyReplyError || error instanceof UnsafeAclUser)) throw error
      refused[name] = error.message
    }
  }
  // Sent in one go; the server answers in order.
  await Promise.all([
    ...step.users.map((user) => alone(user.name, setUser(connection, user, before.get(user.name)))),
    ...step.remove.map((name) => alone(name, aclDelUser(connection, [name]))),
  ])
  await aclSave(connection)
  const names = Object.keys(refused)
  if (names.length > 0)
    throw new StepError('users-refused', `users not applied: ${names.join(', ')}`, { users: refused })
}

/**
 * Where connections have to end, both happen or neither: cut off between the two, an old password would go on being
 * used, and no observation would show it.
 */
async function setUser(connection: ValkeyConnection, user: AclUser, before: AclUser | undefined): Promise<void> {
  const args = setUserArgs(user)
  if (!mustEndSessions(before, user)) return aclSetUser(connection, args)
  const command = ['ACL', 'SETUSER', ...args]
  const [, , , replies] = await Promise.all([
    connection.call(['MULTI']),
    connection.call(command),
    connection.call(['CLIENT', 'KILL', 'USER', user.name, 'SKIPME', 'yes']),
    connection.call(['EXEC']),
  ])
  const failure = Array.isArray(replies) ? replies.find((reply) => reply instanceof Error) : undefined
  if (failure)
    throw new ValkeyReplyError(
      redactReply(
        failure.message,
        command,
        args.filter((arg) => !arg.startsWith('#')),
      ),
    )
}
