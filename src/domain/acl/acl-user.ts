/**
 * One ACL user by meaning: what `ACL SETUSER name reset …` is told, and what ACL LIST / an aclfile line says.
 * Passwords are only ever SHA-256 digests.
 */
export type AclUser = {
  name: string
  on: boolean
  nopass: boolean
  /** SHA-256 of each valid password, 64 lower-case hex digits, no leading `#`. */
  passwords: string[]
  /** Command rules in order, lower case, as Valkey keeps them: `-@all`, `+get`, `+@read`, `-client|kill`. */
  commands: string[]
  /** Key patterns with their sigil: `~app:*`, `%R~x*`. */
  keys: string[]
  /** Channel patterns with their sigil: `&news.*`. */
  channels: string[]
  /** Selectors verbatim with their parentheses; the platform itself writes none. */
  selectors: string[]
  /**
   * What else an observed line says and the platform never writes: `skip-sanitize-payload`, `db=0,3`, `resetdbs` (9.1).
   * Absent or empty otherwise; any of it is a difference from what is desired.
   */
  others?: string[]
}
