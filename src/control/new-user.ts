/** What create-instance, create-user and create-session have in common: one user's row and its sealed password. */
import { parseChannelPattern, parseKeyPattern } from '../domain/acl/keys.ts'
import { parsePrivileges } from '../domain/acl/rules.ts'
import type { User } from '../domain/model/user.ts'
import { type FieldError, Problem } from '../domain/problem.ts'
import { insertSecrets } from '../store/secrets.ts'
import { countUsers, insertUser as insertUserRow } from '../store/users.ts'
import type { Tx } from '../store/store.ts'
import { sha256Hex } from '../vault/random.ts'
import type { ControlDeps } from './deps.ts'
import type { Context } from './use-case.ts'

const invalid = (errors: FieldError[]) =>
  new Problem('invalid', `${errors[0]?.pointer}: ${errors[0]?.detail}`, { errors })

/**
 * Privileges in their canonical form.
 * @param engineVersion refuses commands that the instance's engine lacks
 * @throws Problem invalid naming each entry below `pointer`
 */
export function canonicalPrivileges(given: readonly string[], engineVersion: string, pointer: string): string[] {
  const parsed = parsePrivileges(given, engineVersion)
  if (parsed.ok) return parsed.rules
  throw invalid(parsed.errors.map((e) => ({ pointer: `${pointer}/${e.index}`, code: e.code, detail: e.reason })))
}

/** @throws Problem invalid at `pointer` */
export function canonicalKeyPattern(given: string, pointer: string): string {
  const parsed = parseKeyPattern(given)
  if (parsed.ok) return parsed.value
  throw invalid([{ pointer, code: parsed.code, detail: parsed.reason }])
}

/** @throws Problem invalid at `pointer` */
export function canonicalChannelPattern(given: string | null, pointer: string): string | null {
  const parsed = parseChannelPattern(given)
  if (parsed.ok) return parsed.value
  throw invalid([{ pointer, code: parsed.code, detail: parsed.reason }])
}

/** Seals the digest of a user's password: the password itself is never kept. */
export const sealPassword = (deps: Pick<ControlDeps, 'vault'>, password: string, secretId: string) =>
  deps.vault.seal(sha256Hex(password), secretId)

/** Each is a line of the aclfile and is compared at every look: what one instance may cost the platform has an end. */
const maxUsers = 500

/** @throws Problem limit-reached */
async function checkRoom(tx: Tx, instanceId: string): Promise<void> {
  if ((await countUsers(tx, instanceId)) < maxUsers) return
  throw new Problem('limit-reached', `The instance has ${maxUsers} users and sessions, the most there may be.`)
}

type NewUser = {
  username: string
  password: string | undefined
  privileges: readonly string[]
  keyPattern: string
  channelPattern: string | null
  kind: User['kind']
  expiresAt: string | null
}

/**
 * Writes a pending user of generation 1.
 * @param pointer of the user in the request's body
 * @returns the row, and the password where it was generated
 * @throws Problem limit-reached, invalid
 */
export async function insertUser(
  deps: ControlDeps,
  tx: Tx,
  context: Context,
  instance: { id: string; engineVersion: string },
  asked: NewUser,
  pointer = '',
): Promise<{ user: User; generated: string | null }> {
  await checkRoom(tx, instance.id)
  const secretId = deps.newId('secret')
  const password = asked.password ?? deps.randomPassword()
  const user: User = {
    id: deps.newId('user'),
    instanceId: instance.id,
    username: asked.username,
    privileges: canonicalPrivileges(asked.privileges, instance.engineVersion, `${pointer}/privileges`),
    keyPattern: canonicalKeyPattern(asked.keyPattern, `${pointer}/key_pattern`),
    channelPattern: canonicalChannelPattern(asked.channelPattern, `${pointer}/channel_pattern`),
    passwordSecretId: secretId,
    kind: asked.kind,
    expiresAt: asked.expiresAt,
    status: 'pending',
    statusMessage: null,
    held: false,
    generation: 1,
    observedGeneration: 0,
    createdAt: context.now,
    updatedAt: context.now,
    deletedAt: null,
    revision: 1,
  }
  await insertSecrets(tx, [{ id: secretId, ...sealPassword(deps, password, secretId), createdAt: context.now }])
  await insertUserRow(tx, user)
  return { user, generated: asked.password === undefined ? password : null }
}
