/** What the platform asks of a server, each command once. All of them throw what `ValkeyConnection.call` throws. */
import type { Directive } from '../domain/conf/directive.ts'
import type { ValkeyConnection } from './client.ts'
import { ValkeyUnreachable } from './errors.ts'
import { parseInfo, type ServerInfo } from './info.ts'

export async function ping(connection: ValkeyConnection): Promise<void> {
  await connection.call(['PING'])
}

export async function info(connection: ValkeyConnection): Promise<ServerInfo> {
  const sections = ['server', 'clients', 'memory', 'persistence', 'replication']
  return parseInfo(String(await connection.call(['INFO', ...sections])))
}

/** Every directive that the server reports, as text; several arguments are joined by spaces. */
export async function configGetAll(connection: ValkeyConnection): Promise<Record<string, string>> {
  const reply = await connection.call(['CONFIG', 'GET', '*'])
  if (typeof reply !== 'object' || reply === null) throw new TypeError('CONFIG GET answered with no map')
  return Object.fromEntries(Object.entries(reply).map(([name, value]) => [name, String(value)]))
}

/** Sets all of them, or none where one is refused: it is one command. No directives, no command. */
export async function configSet(connection: ValkeyConnection, directives: readonly Directive[]): Promise<void> {
  if (directives.length === 0) return
  const pairs = directives.flatMap(({ name, args }) => [name, args.join(' ')])
  await connection.call(['CONFIG', 'SET', ...pairs], { reveal: directives.map(({ name }) => name) })
}

/** One line per user, as an aclfile has them. */
export async function aclList(connection: ValkeyConnection): Promise<string[]> {
  const reply = await connection.call(['ACL', 'LIST'])
  if (!Array.isArray(reply)) throw new TypeError('ACL LIST answered with no list')
  return reply.map(String)
}

/** Writes the users to the aclfile, in the server's own order and spelling. */
export async function aclSave(connection: ValkeyConnection): Promise<void> {
  await connection.call(['ACL', 'SAVE'])
}

/**
 * Atomic: a bad rule leaves the user as it was. Begin the rules with `reset`, or they add to what is there.
 * @param args the user's name, then its rules; passwords only as `#sha256`
 */
export async function aclSetUser(connection: ValkeyConnection, args: readonly string[]): Promise<void> {
  const reveal = args.filter((arg) => !/^[><#!]/.test(arg))
  await connection.call(['ACL', 'SETUSER', ...args], { reveal })
}

/** Deletes the users, those that exist, and drops their connections. */
export async function aclDelUser(connection: ValkeyConnection, names: readonly string[]): Promise<void> {
  if (names.length > 0) await connection.call(['ACL', 'DELUSER', ...names], { reveal: names })
}

/** Drops a user's connections but our own; how many there were. */
export async function clientKillUser(connection: ValkeyConnection, name: string): Promise<number> {
  return Number(await connection.call(['CLIENT', 'KILL', 'USER', name, 'SKIPME', 'yes'], { reveal: [name] }))
}

/** Whether the user may run the command with these arguments; the reason in the server's words where not. */
export async function aclDryRun(
  connection: ValkeyConnection,
  user: string,
  command: readonly string[],
): Promise<{ allowed: true } | { allowed: false; reason: string }> {
  const reply = String(await connection.call(['ACL', 'DRYRUN', user, ...command], { reveal: [user, ...command] }))
  return reply === 'OK' ? { allowed: true } : { allowed: false, reason: reply }
}

/**
 * Tells the server to save (where it has snapshots or an AOF) and exit. Resolves when the connection ended; that the
 * process is gone is for the caller to observe.
 * @throws ValkeyReplyError where it cannot save, and stays up; ValkeyTimeout where it did not end within the deadline
 */
export async function shutdown(connection: ValkeyConnection, how: 'save' | 'nosave', timeoutMs: number): Promise<void> {
  try {
    await connection.call(how === 'save' ? ['SHUTDOWN'] : ['SHUTDOWN', 'NOSAVE'], { timeoutMs })
  } catch (error) {
    // A shutdown that works has no reply.
    if (!(error instanceof ValkeyUnreachable)) throw error
  }
}
