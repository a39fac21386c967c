/** Which passwords of a stack's users stay, and which are new: worked out from what is there. */
import { secretFiles } from './places.ts'
import type { StackSpec } from './spec.ts'

/** What is known of one user's passwords. */
export type KnownPassword = {
  /** Plaintext, as its file or the credentials have it. */
  plain: string | undefined
  /** SHA-256 digests that the ACL file has. */
  digests: readonly string[]
}

export type PasswordChange = {
  /** Every password anew. */
  force: boolean
  /** One user's anew. */
  rotate: string | undefined
  /** With `rotate`: what was valid before stays valid beside it, while consumers change over. */
  keepOld: boolean
  /** One user's earlier passwords end. */
  dropOld: string | undefined
}

/** What is to be written for one user. `plain` is unknown where only its digest is left, and that is fine. */
export type NextPassword = { plain: string | undefined; digests: string[]; isNew: boolean }

/** A state that nothing can be made of without a person; a new password of the user ends it. */
export type PasswordConflict = { user: string; reason: string }

/**
 * The passwords of every user of the spec after a change.
 * @param known by user, of those for whom anything is known
 * @param make a new password
 * @param sha256 of a text, lower-case hex
 */
export function nextPasswords(
  spec: StackSpec,
  known: ReadonlyMap<string, KnownPassword>,
  change: PasswordChange,
  { make, sha256 }: { make: () => string; sha256: (text: string) => string },
): { ok: Map<string, NextPassword> } | { conflict: PasswordConflict } {
  const next = new Map<string, NextPassword>()
  for (const [name, user] of Object.entries(spec.users)) {
    const { plain, digests } = known.get(name) ?? { plain: undefined, digests: [] }
    const isKnown = plain !== undefined || digests.length > 0
    if (change.force || change.rotate === name || !isKnown) {
      const fresh = make()
      const old = change.keepOld && !change.force ? digests : []
      next.set(name, { plain: fresh, digests: [sha256(fresh), ...old], isNew: true })
      continue
    }
    if (plain !== undefined && !ONE_WORD.test(plain))
      return { conflict: noWord(name, user.password_file ?? secretFiles.env) }
    const own = plain === undefined ? undefined : sha256(plain)
    if (own !== undefined && digests.length > 0 && !digests.includes(own)) return { conflict: mismatch(name) }
    if (change.dropOld === name && own === undefined) return { conflict: unknownCurrent(name) }
    const kept = own === undefined || (change.dropOld !== name && digests.length > 0) ? [...digests] : [own]
    next.set(name, { plain, digests: kept, isNew: false })
  }
  return { ok: next }
}

/** What a file, a shell and a person all read alike: another one is another password for each of them. */
const ONE_WORD = /^[A-Za-z0-9_.~+=:@%^,/-]+$/

const noWord = (user: string, file: string): PasswordConflict => ({
  user,
  reason: `the password of ${user} in ${file} is not one word of letters, digits and _ . ~ + = : @ % ^ , / -`,
})

const mismatch = (user: string): PasswordConflict => ({
  user,
  reason: `the password of ${user} on file is not the one in the ACL file: one of them was changed, or a rotation was interrupted`,
})

const unknownCurrent = (user: string): PasswordConflict => ({
  user,
  reason: `which of the passwords of ${user} is the current one cannot be told: it is in no file here`,
})

/** `NAME=password` lines, for the users whose password is known, in the spec's order. */
export function credentialsText(spec: StackSpec, passwords: ReadonlyMap<string, NextPassword>): string {
  return Object.entries(spec.users)
    .flatMap(([name, user]) => {
      const plain = passwords.get(name)?.plain
      return plain === undefined ? [] : [`${user.env}=${plain}\n`]
    })
    .join('')
}

/** Reads `NAME=value` lines; comments and blank ones count for nothing. */
export function parseCredentials(text: string): Map<string, string> {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''))
  return new Map(
    lines.flatMap((line) => {
      const found = /^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line)
      return found === null ? [] : [[found[1] ?? '', found[2] ?? ''] as const]
    }),
  )
}
