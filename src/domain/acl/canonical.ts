/** How valkey keeps an ACL user's parts, so that two spellings of one meaning become one text. */

/**
 * Command rules the way valkey's acl.c keeps their text (ACLUpdateCommandRules): `±@all` forgets all that was before,
 * a later rule drops an earlier one on the same subject, and a rule on a container drops those on its subcommands.
 * Starts from nothing, as after `reset`; the answer always begins with `-@all` or `+@all`.
 */
export function canonicalCommands(rules: readonly string[]): string[] {
  let base = '-@all'
  let kept: string[] = []
  for (const typed of rules) {
    const word = typed.toLowerCase()
    const rule = word === 'allcommands' ? '+@all' : word === 'nocommands' ? '-@all' : word
    const subject = rule.slice(1)
    if (subject === '@all') {
      base = rule
      kept = []
    } else {
      kept = kept.filter((old) => old.slice(1) !== subject && !old.startsWith(`${subject}|`, 1))
      kept.push(rule)
    }
  }
  return [base, ...kept]
}

/**
 * Key patterns as a sorted set: permissions on one glob are joined (`%R~x %W~x` is `~x`), and all keys is all keys.
 * A pattern without a known sigil is kept as it is: it then differs from everything.
 */
export function canonicalKeys(patterns: readonly string[]): string[] {
  const access = new Map<string, { reads: boolean; writes: boolean }>()
  const odd: string[] = []
  for (const pattern of patterns) {
    const parts = /^(?:~|%([RW]{1,2})~)(.*)$/is.exec(pattern === 'allkeys' ? '~*' : pattern)
    if (parts === null) {
      odd.push(pattern)
      continue
    }
    const flags = (parts[1] ?? 'RW').toUpperCase()
    const before = access.get(parts[2] ?? '')
    access.set(parts[2] ?? '', {
      reads: flags.includes('R') || (before?.reads ?? false),
      writes: flags.includes('W') || (before?.writes ?? false),
    })
  }
  const every = access.get('*')
  if (every?.reads && every.writes && odd.length === 0) return ['~*']
  const texts = Array.from(access, ([glob, { reads, writes }]) =>
    reads && writes ? `~${glob}` : `%${reads ? 'R' : 'W'}~${glob}`,
  )
  return [...texts, ...odd].sort()
}

/** Channel patterns as a sorted set. */
export function canonicalChannels(patterns: readonly string[]): string[] {
  const set = new Set(patterns.map((pattern) => (pattern === 'allchannels' ? '&*' : pattern)))
  return set.has('&*') ? ['&*'] : [...set].sort()
}
