/** What a check of a stack is told besides its stack.yaml. Paths are written as stack.yaml has them, from its directory. */

/** How a stack's files and commands are written for the person who runs the check. */
export type Names = {
  /** A path as that person types it, from where they are. */
  shown: (path: string) => string
  /** The same, quoted where a shell needs it. */
  word: (path: string) => string
  /** A whole line, for this stack: `certs --renew` is `valkeep stack certs --renew --stack DIR`. */
  command: (line: string) => string
}

/**
 * @property kind `unseen`: this user may not look; `other`: neither file nor directory
 * @property readable whether this user, who runs the check, can read it
 */
export type PathFacts = {
  kind: 'file' | 'directory' | 'other' | 'missing' | 'unseen'
  uid: number
  gid: number
  mode: number
  readable: boolean
}

/** Permissions as chmod takes them. */
export const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0')
